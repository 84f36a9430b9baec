//! A server in a process of its own.

use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{kill_process, Pid, Signal};

/// It is killed when this is dropped.
pub struct Server {
    process: Child,
    pub address: String,
}

impl Server {
    /// Starts a program that takes `--listen ADDRESS` and says where it listens; on a free port.
    pub fn start(program: &Path, flags: &[String], errors: Stdio) -> io::Result<Self> {
        let failed = |why: String| io::Error::other(format!("{}: {why}", program.display()));
        let mut process = Command::new(program)
            .args(["--listen", "127.0.0.1:0"])
            .args(flags)
            .env("RUST_LOG", "off")
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()
            .map_err(|e| failed(e.to_string()))?;
        let output = process.stdout.take();
        let mut server = Self {
            process,
            address: String::new(),
        };
        let mut line = String::new();
        if let Some(output) = output {
            BufReader::new(output).read_line(&mut line)?;
        }
        let Some(address) = line.trim().strip_prefix("listening on ") else {
            return Err(failed("it does not say where it listens".to_owned()));
        };
        server.address = address.to_owned();
        Ok(server)
    }

    /// The number of its process.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Lets it end in order.
    pub fn stop(mut self) -> io::Result<()> {
        kill_process(Pid::from_child(&self.process), Signal::TERM)?;
        match self.process.wait()? {
            ended if ended.success() => Ok(()),
            ended => Err(io::Error::other(format!("the server stopped with {ended}"))),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
