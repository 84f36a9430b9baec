//! Clients that know more than one server: balancing, failover, and a balancer of `grpc.lb.v1`.

use std::net::SocketAddrV4;

use futures::{SinkExt, StreamExt};
use greeter_stream::client::{
    Balance, Client, Config, JoinOptions, PublishError, PublishOptions, SubscribeError,
    SubscribeOptions,
};
use grpcio::RpcStatusCode;
use grpcio_streams::Status;
use testkit::process::{run, text};
use testkit::server::Server;
use testkit::wait::{next, soon, PATIENCE};
use testkit::{balancer, dns};
use topic_log::StartAt;

use crate::support::program::client as program;
use crate::support::{client_with, server, topic};

/// A server that answers GetStream with `number` messages, by which a client can tell it from others.
fn server(listen: &str, number: usize) -> Server {
    let number = number.to_string();
    server::start_at(listen, &["--ticks", &number, "--tick-interval", "1ms"])
}

/// Makes a call; the number of the server that it reaches.
fn reached(client: &Client) -> Result<usize, Status> {
    let call = client.get("").expect("starts");
    let messages: Vec<_> = soon("end", call.collect());
    let number = messages.len();
    messages.into_iter().collect::<Result<Vec<_>, _>>()?;
    Ok(number)
}

/// Makes calls until `enough` returns true for the server that a call reaches. A call may fail only
/// because its server is gone.
fn call_until(client: &Client, mut enough: impl FnMut(usize) -> bool) {
    let deadline = std::time::Instant::now() + PATIENCE;
    loop {
        match reached(client) {
            Ok(number) if enough(number) => return,
            Ok(_) => {}
            Err(status) => assert_eq!(status.code(), RpcStatusCode::UNAVAILABLE, "{status}"),
        }
        assert!(std::time::Instant::now() < deadline, "never");
    }
}

fn client(servers: Vec<String>, balance: Balance) -> Client {
    client_with(Config {
        servers,
        balance,
        wait: true,
        ..Config::default()
    })
}

#[test]
fn calls_spread_over_the_servers_that_live() {
    let (mut one, two) = (server("127.0.0.1:0", 1), server("127.0.0.1:0", 2));
    let servers = vec![one.address.clone(), two.address.clone()];
    let client = client(servers, Balance::RoundRobin);
    // After this the client is connected to both servers.
    call_until(&client, |number| number == 1);
    call_until(&client, |number| number == 2);
    let numbers = (0..20).map(|_| reached(&client).expect("both live"));
    assert_eq!(numbers.filter(|number| *number == 1).count(), 10);

    one.process.kill();
    one.process.wait(PATIENCE);
    let mut in_a_row = 0;
    call_until(&client, |number| {
        assert_eq!(number, 2);
        in_a_row += 1;
        in_a_row == 10
    });
    let _one = server(&one.address, 1);
    call_until(&client, |number| number == 1);
}

#[test]
fn the_first_server_is_called_until_it_dies() {
    let (mut one, two) = (server("127.0.0.1:0", 1), server("127.0.0.1:0", 2));
    let servers = [one.address.clone(), two.address.clone()];
    let client = client(servers.to_vec(), Balance::PickFirst);
    for _ in 0..10 {
        assert_eq!(reached(&client), Ok(1));
    }
    one.process.kill();
    one.process.wait(PATIENCE);
    call_until(&client, |number| number == 2);

    // The same from the command line, with the dead server first.
    let get = run(
        &mut program(&one.address, &["--server", &two.address, "get", ""]),
        b"",
    );
    assert_eq!(get.status.code(), Some(0), "{}", text(&get.stderr));
    assert_eq!(text(&get.stdout).lines().count(), 2);
    // The same with a server whose name does not exist.
    let unknown = ["--server", "no.such.invalid:1", "get", ""];
    let get = run(&mut program(&two.address, &unknown), b"");
    assert_eq!(get.status.code(), Some(0), "{}", text(&get.stderr));
    // A URI together with other servers is wrong usage.
    let uri = ["--server", "unix:/x", "get", ""];
    let get = run(&mut program(&two.address, &uri), b"");
    assert_eq!(get.status.code(), Some(2), "{}", text(&get.stderr));
}

#[test]
fn topics_go_on_at_the_next_server_and_say_what_is_lost() {
    let (mut one, two) = (server::start(&[]), server::start(&[]));
    let servers = vec![one.address.clone(), two.address.clone()];
    let client = client(servers, Balance::PickFirst);
    let mut publisher = client.publish(topic("t"), PublishOptions::default());
    let mut messages = client.subscribe(
        topic("t"),
        SubscribeOptions {
            start: StartAt::Earliest,
            ..SubscribeOptions::default()
        },
    );
    soon("sent", publisher.send("a".to_owned())).expect("acknowledged");
    let a = next("message", &mut messages);
    assert_eq!(a.data, "a");

    one.process.kill();
    one.process.wait(PATIENCE);
    let lost = soon("sent", publisher.send("b".to_owned())).expect_err("a is lost");
    assert!(
        matches!(&lost, PublishError::Lost { before, .. } if before.accepted == 1),
        "{lost}"
    );
    let lost = soon("loss", messages.next()).expect("more");
    let Err(SubscribeError::Lost(loss)) = lost else {
        panic!("{lost:?}");
    };
    assert_eq!((loss.epoch, loss.from, loss.next), (a.epoch, 1, 0));
    let b = next("message", &mut messages);
    assert_eq!((b.epoch, b.offset, &*b.data), (loss.now, 0, "b"));
}

#[test]
fn a_conversation_that_moves_to_an_older_server_is_heard_to_its_end() {
    let two = server::start(&[]);
    let mut one = server::start(&[]);
    let client = client_with(Config {
        servers: vec![one.address.clone(), two.address.clone()],
        ..Config::default()
    });
    let joined = soon("joined", client.join(topic("t"), JoinOptions::default()));
    let mut conversation = joined.expect("a server");
    soon("said", conversation.send("a".to_owned())).expect("acknowledged");
    one.process.kill();
    one.process.wait(PATIENCE);
    let lost = soon("said", conversation.send("b".to_owned())).expect_err("a is lost");
    assert!(matches!(lost, PublishError::Lost { .. }), "{lost}");
    soon("closed", conversation.close()).expect("acknowledged");
    let heard: Vec<_> = soon("heard", conversation.collect());
    let last = heard.last().expect("b").as_ref().expect("b");
    assert_eq!((last.offset, &*last.data), (0, "b"));
}

#[test]
fn the_servers_that_a_balancer_names_are_called() {
    let servers = [server("127.0.0.1:0", 1), server("127.0.0.1:0", 2)];
    let addresses = servers.each_ref().map(|server| {
        let address: SocketAddrV4 = server.address.parse().expect("IPv4");
        address
    });
    let balancer = balancer::serve(&addresses);
    // Nothing listens at the address of the name itself.
    let target = format!("dns://{}/{}:1", dns::serve(balancer.port), dns::SERVICE);
    let client = client(vec![target], Balance::Grpclb);
    call_until(&client, |number| number == 1);
    call_until(&client, |number| number == 2);
}
