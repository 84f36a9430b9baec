//! Who a server and its clients are: TLS, the certificates of clients, and tokens.

mod client_certificates;
mod tls;
mod tls_files;
mod token_file;
mod tokens;
mod unusable_certificates;
