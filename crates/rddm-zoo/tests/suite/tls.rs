//! Servers whose certificates are good, and four kinds that are not.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    sync::Arc,
    thread,
};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::{ServerConfig, ServerConnection, StreamOwned, pki_types::PrivateKeyDer};

use crate::{
    server::respond,
    zoo::{Zoo, pull},
};

struct Authority(Issuer<'static, KeyPair>);

impl Authority {
    fn new(zoo: &Zoo) -> (Self, PathBuf) {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let path = zoo.path("authority.pem");
        fs::write(&path, params.self_signed(&key).unwrap().pem()).unwrap();
        (Self(Issuer::new(params, key)), path)
    }

    /// A server of the zoo's folder with a certificate for `host` that ends in `year`.
    fn server(&self, zoo: &Zoo, host: &str, year: i32) -> SocketAddr {
        let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(year, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        serve(zoo, vec![certificate.der().clone()], key)
    }
}

fn serve(
    zoo: &Zoo,
    chain: Vec<rustls::pki_types::CertificateDer<'static>>,
    key: KeyPair,
) -> SocketAddr {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let root = zoo.root.path().to_owned();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut stream =
                StreamOwned::new(ServerConnection::new(Arc::clone(&config)).unwrap(), stream);
            let mut path = None;
            for line in BufReader::new(Read::by_ref(&mut stream)).lines().map_while(Result::ok) {
                path = path.or_else(|| line.split(' ').nth(1).map(str::to_owned));
                if line.is_empty() {
                    break;
                }
            }
            let Some(path) = path else { continue };
            if let Some(target) = path.strip_prefix("/manifests/lower/") {
                respond(
                    &mut stream,
                    "302 Found",
                    &[("Location", &format!("http://{target}"))],
                    b"",
                );
                continue;
            }
            match fs::read(root.join(path.trim_start_matches('/'))) {
                Ok(bytes) => respond(&mut stream, "200 OK", &[], &bytes),
                Err(_) => respond(&mut stream, "404 Not Found", &[], b""),
            }
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
    });
    address
}

#[test]
fn a_server_of_an_authority_that_was_named_is_good() {
    let zoo = Zoo::new();
    let home = zoo.home();
    let (authority, path) = Authority::new(&zoo);
    let address = authority.server(&zoo, "127.0.0.1", 2040);
    pull(&zoo, &format!("https://{address}/manifests"), &home, &["--ca", path.to_str().unwrap()])
        .expect(0);
    home.assert_whole(&zoo.network());
}

#[test]
fn an_unknown_authority_is_refused_at_once() {
    let zoo = Zoo::new();
    let (authority, _) = Authority::new(&zoo);
    let address = authority.server(&zoo, "127.0.0.1", 2040);
    refused(&zoo, address, &[]);
}

#[test]
fn a_wrong_host_is_refused_at_once() {
    let zoo = Zoo::new();
    let (authority, path) = Authority::new(&zoo);
    let address = authority.server(&zoo, "example.org", 2040);
    refused(&zoo, address, &["--ca", path.to_str().unwrap()]);
}

#[test]
fn an_expired_certificate_is_refused_at_once() {
    let zoo = Zoo::new();
    let (authority, path) = Authority::new(&zoo);
    let address = authority.server(&zoo, "127.0.0.1", 2021);
    let error = refused(&zoo, address, &["--ca", path.to_str().unwrap()]);
    assert!(error.to_lowercase().contains("expired"), "{error}");
}

#[test]
fn a_self_signed_certificate_is_refused_at_once() {
    let zoo = Zoo::new();
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().self_signed(&key).unwrap();
    let address = serve(&zoo, vec![certificate.der().clone()], key);
    refused(&zoo, address, &[]);
}

fn refused(zoo: &Zoo, address: SocketAddr, more: &[&str]) -> String {
    let home = zoo.home();
    let outcome = pull(zoo, &format!("https://{address}/manifests"), &home, more).expect(6);
    assert!(!outcome.err.contains("attempt"), "{}", outcome.err);
    assert!(outcome.err.contains("certificate"), "{}", outcome.err);
    home.assert_nothing();
    outcome.err
}

#[test]
fn https_is_never_left_for_http() {
    let zoo = Zoo::new();
    let home = zoo.home();
    let (authority, path) = Authority::new(&zoo);
    let address = authority.server(&zoo, "127.0.0.1", 2040);
    let plain = crate::server::Server::good(&zoo);
    let registry = format!("https://{address}/manifests/lower/{}/manifests", plain.address);
    let outcome = pull(&zoo, &registry, &home, &["--ca", path.to_str().unwrap()]).expect(6);
    assert!(outcome.err.contains("scheme http"), "{}", outcome.err);
    assert!(plain.requests.lock().unwrap().is_empty());
    home.assert_nothing();
}

#[test]
fn a_mirror_by_http_of_a_registry_by_https_is_passed_over() {
    let zoo = Zoo::new();
    let home = zoo.home();
    let plain = crate::server::Server::good(&zoo);
    let draft = zoo.path("zoo/derain/model.toml");
    let mirrors = format!("mirrors = [\"{}\"]\nopset", plain.network());
    fs::write(&draft, fs::read_to_string(&draft).unwrap().replacen("opset", &mirrors, 1)).unwrap();
    zoo.publish(rddm_zoo::now().unix(), 365);
    let (authority, path) = Authority::new(&zoo);
    let address = authority.server(&zoo, "127.0.0.1", 2040);
    let registry = format!("https://{address}/manifests");
    pull(&zoo, &registry, &home, &["--ca", path.to_str().unwrap()]).expect(0);
    home.assert_whole(&zoo.network());
    assert!(plain.requests.lock().unwrap().is_empty());
}
