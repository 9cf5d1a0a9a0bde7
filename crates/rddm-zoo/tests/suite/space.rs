//! Disks that are full and disks that cannot be written. Both are real, small file systems in
//! memory; where the machine does not let a test mount one, it says so.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    server::Server,
    zoo::{DRAFT, Home, SIZE, Zoo, finish, keys, public_key, pull, rddm_zoo, skipped},
};

struct Mounted(PathBuf);

impl Mounted {
    fn new(path: &Path, size: &str) -> Option<Self> {
        fs::create_dir_all(path).unwrap();
        let options = format!("size={size}");
        let status =
            Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(path).output();
        if !status.is_ok_and(|output| output.status.success()) {
            let what = "this machine does not let a test mount a small file system";
            let id = Command::new("id").arg("-u").output();
            if id.is_ok_and(|id| id.stdout == b"0\n") {
                skipped(what);
            } else {
                eprintln!("SKIPPED: {what}");
            }
            return None;
        }
        Some(Self(path.to_owned()))
    }

    fn make_read_only(&self) {
        let status =
            Command::new("mount").args(["-o", "remount,ro"]).arg(&self.0).status().unwrap();
        assert!(status.success());
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn a_disk_that_is_too_small_is_noticed_before_anything_is_written() {
    let zoo = Zoo::new();
    let Some(disk) = Mounted::new(&zoo.path("disk"), "512k") else { return };
    let home = Home(disk.0.join("home"));
    let server = Server::good(&zoo);
    let outcome = pull(&zoo, &server.registry(), &home, &[]).expect(7);
    assert!(outcome.err.contains("bytes, and the disk of"), "{}", outcome.err);
    home.assert_nothing();
}

#[test]
fn a_disk_that_fills_up_during_the_transfer_keeps_the_part_and_goes_on_later() {
    let zoo = Zoo::new();
    let network = zoo.network();
    let Some(disk) = Mounted::new(&zoo.path("disk"), "1500k") else { return };
    let home = Home(disk.0.join("home"));
    let filler = disk.0.join("filler");
    let fill = filler.clone();
    let body = network.clone();
    // Somebody else fills the disk after the look at its room.
    let server = Server::of_network(&zoo, move |request, stream| {
        if request.before > 0 {
            return false;
        }
        let _ = fs::write(&fill, vec![1; 1400 << 10]);
        crate::server::serve(stream, request, &body);
        true
    });
    let outcome = pull(&zoo, &server.registry(), &home, &[]).expect(7);
    assert!(outcome.err.contains("No space left"), "{}", outcome.err);
    home.assert_sound();
    assert!(home.assert_part(&network) < SIZE);
    fs::remove_file(&filler).unwrap();
    pull(&zoo, &server.registry(), &home, &[]).expect(0);
    home.assert_whole(&network);
}

#[test]
fn a_key_pair_for_which_there_is_no_room_leaves_no_half() {
    let zoo = Zoo::new();
    // Room for the secret key, which comes first.
    let Some(disk) = Mounted::new(&zoo.path("disk"), "4k") else { return };
    let mut keygen = crate::zoo::rddm_zoo(zoo.root.path());
    let outcome = crate::zoo::finish(keygen.args(["keygen", "disk/mine"])).expect(3);
    assert!(outcome.err.contains("mine.pub: No space left"), "{}", outcome.err);
    assert_eq!(fs::read_dir(&disk.0).unwrap().count(), 0);
}

#[test]
fn a_registry_for_which_there_is_no_room_stays_as_it_was() {
    let zoo = Zoo::new();
    let Some(disk) = Mounted::new(&zoo.path("disk"), "2m") else { return };
    // So many models that their index needs more room than any manifest.
    for number in 0..40 {
        let id = format!("derain-{number}");
        let model = zoo.path("disk/zoo").join(&id);
        fs::create_dir_all(&model).unwrap();
        let draft = DRAFT.replacen("id = \"derain\"", &format!("id = \"{id}\""), 1);
        fs::write(model.join("model.toml"), draft).unwrap();
        fs::write(model.join("recipe.toml"), "").unwrap();
        fs::write(model.join("derain.onnx"), format!("\u{8}{id}")).unwrap();
    }
    fs::write(zoo.path("secret.key"), &keys().secret).unwrap();
    let run = |arguments: &[&str]| {
        let mut command = rddm_zoo(&disk.0);
        finish(command.args(arguments).args(["--key", public_key(), "--home", "../home"]))
    };
    let publish = ["publish", "--signing-key", "../secret.key"];
    run(&publish).expect(0);
    let before = Home(disk.0.join("manifests"));
    let files = before.files("");
    fs::write(disk.0.join("zoo/derain-0/recipe.toml"), "seed = 2").unwrap();
    // All the room but that for one manifest.
    let mut filler = fs::File::create(disk.0.join("filler")).unwrap();
    let mut room = 0;
    while filler.write_all(&[1; 4096]).is_ok() {
        room += 4096;
    }
    filler.set_len(room - 4096).unwrap();
    let outcome = run(&publish).expect(7);
    assert!(outcome.err.contains("the registry is as it was"), "{}", outcome.err);
    assert_eq!(before.files(""), files);
    run(&["pull", "--all", "--registry", "manifests"]).expect(0);
}

#[test]
fn a_read_only_store_is_read_and_not_written() {
    let zoo = Zoo::new();
    let Some(disk) = Mounted::new(&zoo.path("disk"), "8m") else { return };
    let home = Home(disk.0.join("home"));
    let server = Server::good(&zoo);
    pull(&zoo, &server.registry(), &home, &[]).expect(0);
    fs::remove_dir_all(home.0.join("locks")).unwrap();
    disk.make_read_only();
    let before = home.files("");
    let run = |arguments: &[&str]| {
        crate::zoo::finish(
            crate::zoo::rddm_zoo(zoo.root.path()).args(arguments).arg("--home").arg(&home.0),
        )
    };
    run(&["verify", "derain"]).expect(0);
    run(&["list", "--pulled"]).expect(0);
    run(&["show", "derain"]).expect(0);
    run(&["du"]).expect(0);
    let options = {
        let mut options = rddm_zoo::ResolveOptions::default();
        options.home = Some(home.0.clone());
        options
    };
    rddm_zoo::resolve(&"derain".parse().unwrap(), &options).unwrap();
    run(&["rm", "derain"]).expect(7);
    // All is there and good, so there is nothing to write.
    pull(&zoo, &server.registry(), &home, &[]).expect(0);
    zoo.renew(&crate::zoo::noise(SIZE, 5));
    zoo.publish(rddm_zoo::now().unix(), 365);
    let outcome = pull(&zoo, &server.registry(), &home, &[]).expect(7);
    assert!(outcome.err.contains("Read-only"), "{}", outcome.err);
    assert_eq!(home.files(""), before);
}
