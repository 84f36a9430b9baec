//! The identity of callers, and the check of their rights.
//!
//! With a [token file](token_file) or a client CA, a call needs an identity: a token in the
//! metadata `authorization: Bearer TOKEN` ([RFC 6750](https://www.rfc-editor.org/rfc/rfc6750)), or
//! the client's certificate. A token takes precedence over a certificate: a call with an unknown
//! token is refused.
//!
//! | server has | a call needs | and may |
//! |---|---|---|
//! | a token file | a token of the file | what its line says |
//! | a client CA | a certificate of the CA that has a name; without one there is no connection | everything; tokens mean nothing |
//! | both | a token of the file, or a certificate of the CA whose name the file has with `cert` | what its line says |
//!
//! The service decides which rights a call needs ([`Rights`]). The health service needs no
//! identity.
//!
//! A call without an identity ends with UNAUTHENTICATED. A call whose caller lacks a right ends
//! with PERMISSION_DENIED. Both end before any of their messages is read. A token that came over a
//! network in plaintext is refused, because others may have read it. New calls see a change of the
//! file within about a second. A change does not end running calls.

mod token_file;

use std::path::Path;

use grpcio::RpcStatusCode;
use grpcio_credentials::{bearer_token, is_local, FileError};
use grpcio_streams::{Call, Status};

use self::token_file::{Caller, TokenFile};
use crate::reload::Reloaded;
use crate::rights::{Need, Rights, Vocabulary};

/// Finds the caller of a call.
pub(crate) struct Identities {
    /// None if every certificate with a name is accepted.
    token_file: Option<Reloaded<TokenFile>>,
}

impl Identities {
    /// Returns None for a server that everyone may call.
    pub(crate) fn start(
        token_file: Option<&Path>,
        has_client_ca: bool,
        vocabulary: Vocabulary,
    ) -> Result<Option<Self>, FileError> {
        let Some(path) = token_file.map(Path::to_owned) else {
            return Ok(has_client_ca.then_some(Self { token_file: None }));
        };
        let paths = vec![path.clone()];
        let make = move |contents: &[Vec<u8>]| {
            TokenFile::parse(&path, &contents.concat(), &vocabulary, has_client_ca)
        };
        let token_file = Some(Reloaded::start(paths, make)?);
        Ok(Some(Self { token_file }))
    }

    /// Sets the identity of the call, or refuses the call.
    pub(crate) fn admit(&self, call: &mut Call, rights: Option<&dyn Rights>) -> Result<(), Status> {
        let Some(token_file) = &self.token_file else {
            let name = call.certificate_name().map(str::to_owned);
            call.identify(name.ok_or_else(unknown)?);
            return Ok(());
        };
        let token_file = token_file.current();
        let caller = find(&token_file, call)?;
        call.identify(&*caller.name);
        let Some(rights) = rights else {
            return Ok(());
        };
        match rights.needed(call)? {
            Some(need) if !caller.may(&need) => Err(forbidden(caller, &need, rights.resource())),
            _ => Ok(()),
        }
    }
}

fn find<'a>(token_file: &'a TokenFile, call: &Call) -> Result<&'a Caller, Status> {
    let mut credentials = call
        .metadata()
        .iter()
        .filter(|(key, _)| *key == "authorization");
    let caller = match (credentials.next(), credentials.next()) {
        (None, _) => call
            .certificate_name()
            .and_then(|name| token_file.with_certificate(name)),
        _ if !call.is_encrypted() && !is_local(call.peer()) => return Err(exposed()),
        (Some((_, one)), None) => bearer_token(one).and_then(|token| token_file.with_token(token)),
        (Some(_), Some(_)) => None,
    };
    caller.ok_or_else(unknown)
}

/// The status is the same for a missing, malformed or unknown identity, so it reveals nothing about
/// the token file.
fn unknown() -> Status {
    let why = "the call needs an identity: send a token that this server knows, or use a \
               client certificate that it knows";
    Status::new(RpcStatusCode::UNAUTHENTICATED, why)
}

fn exposed() -> Status {
    let why = "a token that comes over the network in plaintext is not accepted: others may have \
               read it; use TLS and a new token";
    Status::new(RpcStatusCode::UNAUTHENTICATED, why)
}

fn forbidden(caller: &Caller, need: &Need, resource: &str) -> Status {
    let actions: Vec<_> = need
        .actions
        .iter()
        .map(|action| format!("to {action}"))
        .collect();
    let rights = if actions.len() == 1 {
        "right"
    } else {
        "rights"
    };
    let why = format!(
        "this call needs the {rights} {} {resource} {}, which {} does not have; the operator \
         of the server can grant it in the token file",
        actions.join(" and "),
        need.resource,
        caller.name
    );
    Status::new(RpcStatusCode::PERMISSION_DENIED, why)
}
