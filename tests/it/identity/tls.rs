//! TLS: which servers a client accepts, and when plaintext is allowed.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use futures::{stream, StreamExt, TryStreamExt};
use grpcio_streams::Status;
use testkit::certificates::{Certificate, Wanted};
use testkit::folder::Folder;
use testkit::raw;
use testkit::wait::{soon, PATIENCE};

use crate::support::client;
use crate::support::secured::{self, by_program, fails, library, trusting};
use crate::support::server::{self, refused};

#[test]
fn the_three_calls_go_over_tls() {
    let folder = Folder::new();
    let server = secured::server(&folder, &Certificate::ca("ca"), false);
    let ca = folder.path("ca.crt");
    let port = server.address.rsplit_once(':').expect("a port").1;
    for address in [&server.address, &format!("localhost:{port}")] {
        let (out, said, code) = by_program(address, &["--tls", "--ca", &ca, "get", "a"]);
        assert_eq!((out.lines().count(), &*said, code), (1, "", Some(0)));
        // The flags may be on both sides of the command.
        let (out, said, code) = by_program(address, &["--ca", &ca, "put", "--tls"]);
        assert_eq!((&*out, &*said, code), ("2\n", "", Some(0)));
        let (_, said, code) = by_program(address, &["all", "--tls", "--ca", &ca]);
        assert_eq!((&*said, code), ("", Some(0)));
        let (out, said, code) = by_program(address, &["put", "--topic", "t", "--tls", "--ca", &ca]);
        assert!(out.contains("\"accepted\":2"), "{out}{said}");
        assert_eq!((&*said, code), ("", Some(0)));
    }

    let client = library(&server.address, trusting(&folder));
    let messages = || stream::iter(["a", "b"].map(|m| Ok::<_, Status>(m.to_owned())));
    assert_eq!(soon("ticks", client.get("a").expect("starts").count()), 1);
    assert_eq!(soon("answer", client.put(messages())).as_deref(), Ok("2"));
    let said = client.all(messages()).expect("starts");
    soon("end", said.try_collect::<Vec<_>>()).expect("OK");
}

#[test]
fn the_server_has_to_be_the_one_that_is_called() {
    let folder = Folder::new();
    let authority = Certificate::ca("ca");
    let server = secured::server(&folder, &authority, false);
    let ca = folder.path("ca.crt");
    let other = folder.write("other.crt", Certificate::ca("other").pem());
    let namesake = folder.write("namesake.crt", Certificate::ca("ca").pem());

    let not_accepted = "'s certificate is not accepted: no trusted CA has signed it, or it \
                        is not valid at this time; --ca names other CAs";
    for ca in [&other, &namesake] {
        fails(&server.address, &["--tls", "--ca", ca], not_accepted);
    }
    // Without --ca the client trusts the CAs of the system.
    fails(&server.address, &["--tls"], not_accepted);
    let name = ["--tls", "--ca", &ca, "--server-name"];
    fails(
        &server.address,
        &[&name[..], &["elsewhere.example"]].concat(),
        "'s certificate is for another host; call the server by a name that its certificate has, \
         or give that name with --server-name",
    );
    let by_name = [&name[..], &["localhost", "get", "a"]].concat();
    assert_eq!(by_program(&server.address, &by_name).2, Some(0));
    // A client of several servers checks the IP address of each.
    let two = ["--server", &server.address, "--tls", "--ca", &ca];
    let two_by_name = [&two[..], &["--server-name", "localhost", "get", "a"]].concat();
    assert_eq!(by_program(&server.address, &two_by_name).2, Some(0));
    let (_, said, code) = by_program(&server.address, &[&two[..], &["get", "a"]].concat());
    assert!(
        code == Some(1) && said.contains("give it as --server-name"),
        "{said}"
    );

    let expired = authority.sign(Wanted {
        name: "expired",
        alternative: &["127.0.0.1"],
        days: (-2, -1),
        ..Wanted::default()
    });
    let (certificate, key) = folder.write_pair("expired", &expired);
    let mut server = server::start(&["--tls-cert", &certificate, "--tls-key", &key]);
    let warning = ["expired.crt: the certificate expired on "];
    server.log.wait_for_all(PATIENCE, &warning);
    fails(&server.address, &["--tls", "--ca", &ca], not_accepted);
}

#[test]
fn plaintext_on_the_tls_port_and_the_reverse_fail_at_once() {
    let folder = Folder::new();
    let secured = secured::server(&folder, &Certificate::ca("ca"), false);
    let plain = server::start(&["--ticks", "1", "--tick-interval", "1ms"]);
    let ca = folder.path("ca.crt");
    fails(
        &secured.address,
        &[],
        " ended the connection at once: if it speaks TLS this client has to as well; use --tls",
    );
    fails(
        &plain.address,
        &["--tls", "--ca", &ca],
        " does not speak TLS; leave out --tls",
    );

    // Clients that do not speak TLS, or stop in the middle of a handshake.
    let mut idle = Vec::new();
    for said in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        &[0xff; 4096],
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"",
    ] {
        let mut socket = TcpStream::connect(&secured.address).expect("listens");
        socket.write_all(said).expect("sent");
        idle.push(socket);
    }
    let limit = Some(Duration::from_secs(5));
    for socket in &mut idle[..2] {
        socket.set_read_timeout(limit).expect("a limit");
        // There may be an alert before the end.
        let ended = socket.read_to_end(&mut Vec::new());
        assert!(
            ended.as_ref().map_or_else(
                |e| e.kind() == std::io::ErrorKind::ConnectionReset,
                |_| true
            ),
            "{ended:?}"
        );
    }
    let (out, said, code) = by_program(&secured.address, &["--tls", "--ca", &ca, "get", "a"]);
    assert_eq!((out.lines().count(), &*said, code), (1, "", Some(0)));
    let raw = raw::client(&plain.address);
    assert!(soon(
        "connected",
        raw.channel().wait_for_connected(PATIENCE)
    ));
}

#[test]
fn plaintext_for_others_has_to_be_asked_for() {
    // An address of no machine (RFC 5737), so that nothing is opened to the network.
    let elsewhere = "192.0.2.1:50052";
    let (said, code) = refused(&["--listen", "127.0.0.1:0", "--listen", elsewhere]);
    assert_eq!(
        said.lines().last().unwrap_or_default(),
        "greeter-server: other machines can reach 192.0.2.1:50052, and without TLS everyone on \
         the network path can read and change what is sent; give --tls-cert and --tls-key, or \
         --insecure if plaintext is intended"
    );
    assert_eq!(code, Some(1));
    for everywhere in ["0.0.0.0:0", "[::]:0", "[::ffff:192.0.2.1]:0", ":0", "*:0"] {
        let (said, code) = refused(&["--listen", everywhere]);
        assert!(
            code == Some(1) && said.contains("--insecure if plaintext is intended"),
            "{said}"
        );
    }
    let folder = Folder::new();
    let (certificate, key) = folder.write_pair("server", &Certificate::ca("ca").sign_server("one"));
    for allowed in [
        &["--insecure"][..],
        &["--tls-cert", &certificate, "--tls-key", &key],
    ] {
        let (said, code) = refused(&[&["--listen", elsewhere], allowed].concat());
        let why = "greeter-server: cannot listen on 192.0.2.1:50052: Cannot assign";
        assert!(code == Some(1) && said.contains(why), "{said}");
    }
    for own in ["127.0.0.2:0", "[::ffff:127.0.0.1]:0"] {
        let server = server::start_at(own, &["--ticks", "1", "--tick-interval", "1ms"]);
        assert_eq!(
            soon(
                "ticks",
                client(&server.address).get("a").expect("starts").count()
            ),
            1
        );
    }
}
