//! Journeys over TLS, against a server of rustls with a certificate of the test's own.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use ureq::tls::{Certificate, RootCerts};

use super::{Http, HttpOptions, MinTls, Request, Response, Transport, read_all};
use crate::error::{Error, Result};
use crate::progress::Cancel;

/// Longer than a record of TLS, and than what a connection is allowed besides its answer.
const LENGTH: usize = 300 << 10;

/// A server and the root that its certificate comes from; it answers two requests on one connection.
fn serve(answer: fn(&mut dyn Write) -> std::io::Result<()>, tls13: bool) -> (String, Vec<u8>) {
    let issued = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let certificate = issued.cert.der().clone();
    let key = PrivatePkcs8KeyDer::from(issued.signing_key.serialize_der());
    let versions: &[_] =
        if tls13 { &[&rustls::version::TLS13] } else { &[&rustls::version::TLS12] };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key.into())
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://localhost:{}/shop", listener.local_addr().unwrap().port());
    thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        // A handshake that fails is the client's to tell.
        let _ = talk(stream, Arc::new(config), answer);
    });
    (url, certificate.to_vec())
}

fn talk(
    stream: TcpStream,
    config: Arc<ServerConfig>,
    answer: fn(&mut dyn Write) -> std::io::Result<()>,
) -> std::io::Result<()> {
    let connection = ServerConnection::new(config).map_err(std::io::Error::other)?;
    let mut stream = BufReader::new(StreamOwned::new(connection, stream));
    for _ in 0..2 {
        let mut line = String::new();
        while line != "\r\n" {
            line.clear();
            if stream.read_line(&mut line)? == 0 {
                return Ok(());
            }
        }
        answer(stream.get_mut())?;
    }
    Ok(())
}

fn http(url: &str, root: &[u8], min_tls: MinTls) -> Http {
    let options = HttpOptions { min_tls, ..HttpOptions::default() };
    let root = Certificate::from_der(root).to_owned();
    Http::new(url, &options).unwrap().trusting(&options, RootCerts::new_with_certs(&[root]))
}

fn get(http: &Http) -> Result<Vec<u8>> {
    match http.get(&Request::whole("x", LENGTH as u64), &Cancel::default())? {
        Response::Found { body, .. } => read_all(body, "x", LENGTH as u64),
        _ => panic!("not found"),
    }
}

fn whole(stream: &mut dyn Write) -> std::io::Result<()> {
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {LENGTH}\r\n\r\n")?;
    stream.write_all(&[7; LENGTH])
}

#[test]
fn files_come_over_tls_one_after_the_other_on_one_connection() {
    for (min, tls13) in [(MinTls::V1_3, true), (MinTls::V1_2, true), (MinTls::V1_2, false)] {
        let (url, root) = serve(whole, tls13);
        let http = http(&url, &root, min);
        for _ in 0..2 {
            assert!(get(&http).unwrap() == [7; LENGTH]);
        }
    }
}

#[test]
fn a_server_that_is_older_than_it_may_be_or_not_known_is_refused() {
    let (url, root) = serve(whole, false);
    assert_eq!(get(&http(&url, &root, MinTls::V1_3)).unwrap_err().code(), "network");
    let (url, _) = serve(whole, true);
    let (_, stranger) = serve(whole, true);
    let refused = get(&http(&url, &stranger, MinTls::V1_3)).unwrap_err();
    assert!(matches!(&refused, Error::Network(text) if text.contains("certificate")), "{refused}");
}

#[test]
fn what_comes_below_tls_is_counted_with_what_comes_out() {
    let (url, root) = serve(
        |stream| {
            write!(
                stream,
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n"
            )?;
            let trailers = "a: b\r\n".repeat(10_000);
            loop {
                stream.write_all(trailers.as_bytes())?;
            }
        },
        true,
    );
    let refused = get(&http(&url, &root, MinTls::V1_3)).unwrap_err();
    assert!(matches!(&refused, Error::Network(text) if text.contains("more comes")), "{refused}");
}
