//! The flags of TLS and identity.

use std::path::PathBuf;

use super::failure::Failure;
use crate::cli::environment::variable;
use grpcio_credentials::{ClientTls, Token};

/// The environment variable that may have the token.
const VARIABLE: &str = "GREETER_TOKEN";

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "TLS and identity")]
pub(super) struct Security {
    /// Use TLS. The server must show a certificate of a CA that this system trusts
    #[arg(long, global = true)]
    tls: bool,

    /// Trust the CAs in this file, in PEM form, instead of those of the system
    #[arg(long, global = true, value_name = "FILE")]
    ca: Option<PathBuf>,

    /// Show the certificate in this file, in PEM form
    #[arg(long, global = true, value_name = "FILE")]
    cert: Option<PathBuf>,

    /// The certificate's key, in PEM form without a passphrase
    #[arg(long, global = true, value_name = "FILE")]
    key: Option<PathBuf>,

    /// Expect this name in the server's certificate, instead of the host in its address
    #[arg(long, global = true, value_name = "NAME")]
    server_name: Option<String>,

    /// Send the token in this file [env: GREETER_TOKEN has the token itself]
    #[arg(long, global = true, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

impl Security {
    /// Checks which flags go together. clap cannot check it, because each flag may come before or
    /// after the command, and clap checks only one of these places at a time.
    pub(super) fn check(&self) -> Result<(), String> {
        let flags = [
            ("--ca", self.ca.is_some(), "--tls", self.tls),
            ("--cert", self.cert.is_some(), "--tls", self.tls),
            ("--cert", self.cert.is_some(), "--key", self.key.is_some()),
            ("--key", self.key.is_some(), "--cert", self.cert.is_some()),
            (
                "--server-name",
                self.server_name.is_some(),
                "--tls",
                self.tls,
            ),
        ];
        match flags.iter().find(|(_, given, _, other)| *given && !other) {
            Some((flag, _, other, _)) => Err(format!("{flag} goes with {other} only; give both")),
            None => Ok(()),
        }
    }

    pub(super) fn tls(&self) -> Result<Option<ClientTls>, Failure> {
        if !self.tls {
            return Ok(None);
        }
        let mut tls = ClientTls::new();
        if let Some(path) = &self.ca {
            tls = tls.ca(path)?;
        }
        if let (Some(certificate), Some(key)) = (&self.cert, &self.key) {
            tls = tls.certificate(certificate, key)?;
        }
        if let Some(name) = &self.server_name {
            tls = tls.server_name(name);
        }
        Ok(Some(tls))
    }

    pub(super) fn token(&self) -> Result<Option<Token>, Failure> {
        if let Some(path) = &self.token_file {
            return Ok(Some(Token::from_file(path)?));
        }
        Ok(variable(VARIABLE)
            .map(|text| Token::new(&text))
            .transpose()?)
    }
}
