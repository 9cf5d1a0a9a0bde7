//! How the server begins and ends.

use std::io::Write as _;

use crate::http::{self, connect};
use crate::server::{Server, png};
use crate::support::{Bench, NETWORK};

const SERVE: &str = "serve --listen 127.0.0.1:0 --registry registry --allow-unsigned";

#[test]
fn what_cannot_be_served_ends_with_its_code() {
    let bench = Bench::new();
    bench
        .run("serve --listen 0.0.0.0:0 --registry registry --allow-unsigned")
        .ends(2)
        .says(&["loopback", "127.0.0.1"]);
    bench.run(&format!("{SERVE} --max-steps x")).ends(2);
    bench.run(&format!("{SERVE} --timeout 0")).ends(2);
    bench.run(&format!("{SERVE} --model other")).ends(4).says(&["other"]);
    bench.run("serve --registry registry").ends(5).says(&["not signed"]);
    bench.run(&format!("{SERVE} --engine torch")).ends(8).says(&["torch"]);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let words = format!("serve --listen {address} --registry registry --allow-unsigned");
    bench.run(&words).ends(6).says(&[&address.to_string(), "--listen"]);

    let mut broken = NETWORK.to_vec();
    broken[100] ^= 1;
    bench.write("zoo/tiny/tiny.onnx", &broken);
    bench.run(SERVE).ends(5).says(&["tiny.onnx"]);
}

#[test]
fn an_interrupt_ends_it_and_what_it_was_doing() {
    let server = Server::new("--max-steps 1000 --max-pictures 1 --threads 1");
    let picture = png(1200, 900);
    let mut client = server.begin("model=tiny&steps=1000", picture.len());
    client.write_all(&picture).unwrap();
    let idle = connect(server.address);
    let address = server.address;
    server.interrupt().ends(0);
    let answer = http::answer(&client, false).unwrap();
    assert_eq!(answer.status, 503);
    assert!(answer.json()["error"]["what"].as_str().unwrap().contains("stopped"));
    assert!(std::net::TcpStream::connect(address).is_err());
    drop(idle);
}
