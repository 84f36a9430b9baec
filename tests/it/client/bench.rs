//! The reports and errors of `greeter-client bench`. The figures are not tested, because they depend on
//! how busy the machine is.

use std::time::Duration;

use futures::TryStreamExt;
use futures_timer::Delay;
use greeter_stream::generated::greeter::StreamReqData;
use serde_json::Value;
use testkit::process::{run, text};
use testkit::served::serve;

use crate::support::messages::response;
use crate::support::program::client;
use crate::support::server;

fn bench(server: &str, args: &[&str]) -> Value {
    let short = ["--duration", "500ms", "--warmup", "100ms", "--json"];
    let output = run(client(server, &["bench"]).args(args).args(short), b"");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn every_load_runs_and_says_what_it_came_to() {
    let server = server::start_quiet(&[]);
    for work in ["get", "put", "ping", "fan", "calls"] {
        let streams = ["--streams", "4", "--connections", "2", "--size", "100000"];
        let report = bench(&server.address, &[&[work][..], &streams].concat());
        assert_eq!(report["work"], work);
        let figure = |name: &str| report[name].as_f64().expect("a number");
        assert!(figure("count") > 0.0, "{report}");
        assert_eq!(figure("per_second"), figure("count") / 0.5);
        assert_eq!((figure("streams"), figure("connections")), (4.0, 2.0));
        let measures_latency = !["get", "put"].contains(&work);
        assert_eq!(report.get("latency_us").is_some(), measures_latency);
    }
    let pid = server.process.id().to_string();
    let report = bench(&server.address, &["idle", "--streams", "50", "--pid", &pid]);
    assert_eq!(report["count"], 50, "everyone has the one message");
    let used = |name: &str| report["server"][name].as_f64().expect("a number");
    assert!(
        used("cpu_us") > 0.0 && used("memory_at_rest") > 1e6,
        "{report}"
    );
    assert!(used("memory") <= used("peak_memory"), "{report}");
}

#[test]
fn messages_that_a_slow_answer_delays_count_from_when_they_were_due() {
    const PAUSE: Duration = Duration::from_millis(300);
    let echo = serve(1, |service| {
        service.duplex("/Greeter/AllStream", |_, requests| {
            let mut pause = Some(PAUSE);
            requests.and_then(move |request: StreamReqData| {
                let pause = pause.take();
                async move {
                    if let Some(pause) = pause {
                        Delay::new(pause).await;
                    }
                    Ok(response(request.data))
                }
            })
        })
    });
    let rate = ["ping", "--rate", "100"];
    let report = bench(&echo.address, &rate);
    let count = report["count"].as_u64().expect("a number");
    // In 600 ms 60 messages are due, 30 of them while the first is not answered.
    assert!((1..=61).contains(&count), "{report}");
    let late = report["latency_us"]["p90"].as_u64().expect("a number");
    assert!(late > 100_000, "{report}");
}

#[test]
fn a_server_that_is_not_there_or_knows_no_topics_is_named() {
    let output = run(&mut client("127.0.0.1:1", &["bench", "put"]), b"");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("UNAVAILABLE"));
    let output = run(
        &mut client("127.0.0.1:1", &["bench", "put", "--size", "15"]),
        b"",
    );
    assert_eq!(output.status.code(), Some(2));
}
