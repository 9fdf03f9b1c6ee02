use std::io::Read;

use hpke::{OpModeS, Serializable};
use proptest::prelude::*;

use super::*;
use crate::hex;
use crate::host::System;

/// Made by OpenSSL 3.0: `openssl genpkey -algorithm X25519`.
const PRIVATE: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VuBCIEIAADiUC3isVw9YizmQqhjwSdKxJkJBTP/KbFB1twJmVz
-----END PRIVATE KEY-----
";
/// Its public half, by `openssl pkey -pubout`.
const PUBLIC: &str = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VuAyEA7M9Uj8Kt2WwbXt5KCndXYzJadHG3+XhD//VNN+D0/W4=
-----END PUBLIC KEY-----
";
/// An Ed25519 key (RFC 8410, section 10.1).
const OTHER_KIND: &str = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PUBLIC KEY-----
";

fn app() -> AppId {
    "com.example.shop".parse().unwrap()
}

fn key(n: u8) -> OpeningKey {
    OpeningKey::from_bytes([n; 32])
}

fn sealer(app: &AppId) -> Sealer<'_> {
    Sealer::new(app, &System).unwrap()
}

fn sealed_for(sealer: &Sealer<'_>, keys: &[OpeningKey]) -> Seal {
    let recipients: Vec<_> = keys.iter().map(OpeningKey::recipient).collect();
    sealer.seal(&recipients).unwrap()
}

fn is_refused<T>(result: Result<T>) -> bool {
    matches!(result, Err(Error::Seal))
}

#[test]
fn hpke_is_the_one_of_rfc_9180() {
    // The RFC's test vectors, mode 0, kem 0x0020, kdf 0x0001, aead 0x0002, first encryption.
    let bytes = |text| hex::decode(text).unwrap();
    let opened = hpke_open(
        &bytes("497b4502664cfea5d5af0b39934dac72242a74f8480451e1aee7d6a53320333d"),
        &bytes("6c93e09869df3402d7bf231bf540fadd35cd56be14f97178f0954db94b7fc256"),
        &bytes("4f6465206f6e2061204772656369616e2055726e"),
        &bytes("436f756e742d30"),
        &bytes(
            "e5d84cd531cfb583096e7cfa9641bd3079cf3a91cda813c52deb5f512be9931980a41de125a925cdad859d5b7a",
        ),
    );
    assert_eq!(opened.unwrap().as_slice(), b"Beauty is truth, truth beauty");
    let private = bytes("497b4502664cfea5d5af0b39934dac72242a74f8480451e1aee7d6a53320333d");
    let public = "430f4b9859665145a6b1ba274024487bd66f03a2dd577d7753c68d7d7d00c00c";
    let key = OpeningKey::from_bytes(private.try_into().unwrap());
    assert_eq!(key.recipient().to_string(), public);
}

#[test]
fn keys_are_read_as_openssl_writes_them() {
    let (opening, recipient) =
        (OpeningKey::from_pem(PRIVATE).unwrap(), RecipientKey::from_pem(PUBLIC).unwrap());
    assert_eq!(opening.recipient(), recipient);
    assert_eq!(opening.id(), recipient.id());
    assert_eq!(recipient.to_string().parse::<RecipientKey>().unwrap(), recipient);
    assert_eq!(opening.to_pkcs8().len(), 48);
    for bad in [PUBLIC, OTHER_KIND, "", "nonsense"] {
        assert!(OpeningKey::from_pem(bad).is_err());
    }
    assert!(RecipientKey::from_pem(OTHER_KIND).is_err());
    assert!(RecipientKey::from_pem(PRIVATE).is_err());
    assert!("00".repeat(31).parse::<RecipientKey>().is_err());
    // A key's text tells which it is, and no more.
    assert!(!format!("{opening:?}").contains("000389"), "{opening:?}");
}

#[test]
fn every_recipient_opens_and_nobody_else() {
    let app = app();
    let sealer = sealer(&app);
    let seal = sealed_for(&sealer, &[key(1), key(2), key(3)]);
    for n in 1..=3 {
        let opened = seal.open(&app, &vec![key(9), key(n)]).unwrap().unwrap();
        assert_eq!(opened.bytes(), sealer.content().bytes());
    }
    assert!(seal.open(&app, &vec![key(4)]).unwrap().is_none(), "no key fits, which is no error");
    assert!(seal.open(&app, &Vec::new()).unwrap().is_none());
    // Two seals of one content have nothing in common but the commitment.
    let again = sealed_for(&sealer, &[key(1)]);
    assert_eq!(again.commit, seal.commit);
    assert_ne!(again.recipients[0].enc, seal.recipients[0].enc);
    assert_ne!(again.recipients[0].wrapped, seal.recipients[0].wrapped);
}

#[test]
fn a_seal_that_was_altered_in_any_way_opens_for_nobody() {
    let app = app();
    let seal = sealed_for(&sealer(&app), &[key(1), key(2)]);
    let other = sealed_for(&sealer(&app), &[key(1)]);
    let changes: &[(&str, &dyn Fn(&mut Seal))] = &[
        ("recipients swapped", &|seal| {
            let (first, second) = (seal.recipients[0].kid, seal.recipients[1].kid);
            (seal.recipients[0].kid, seal.recipients[1].kid) = (second, first);
        }),
        ("another algorithm", &|seal| seal.alg = "hpke-x25519-chacha20poly1305".to_owned()),
        ("another release's recipient", &|seal| seal.recipients[0] = other.recipients[0].clone()),
        ("another release's commitment", &|seal| seal.commit = other.commit),
        ("another encapsulated key", &|seal| seal.recipients[0].enc = seal.recipients[1].enc),
        ("no encapsulated key", &|seal| seal.recipients[0].enc = Hex::new([0; 32])),
    ];
    for (what, change) in changes {
        let mut altered = seal.clone();
        change(&mut altered);
        assert!(is_refused(altered.open(&app, &vec![key(1)])), "{what}");
    }
    for at in 0..48 * 8 {
        let mut altered = seal.clone();
        let mut wrapped = *altered.recipients[0].wrapped.as_bytes();
        wrapped[at / 8] ^= 1 << (at % 8);
        altered.recipients[0].wrapped = Hex::new(wrapped);
        assert!(is_refused(altered.open(&app, &vec![key(1)])), "bit {at}");
    }
    let other_app = "com.example.bank".parse().unwrap();
    assert!(is_refused(seal.open(&other_app, &vec![key(1)])), "wrapped for another app");
}

#[test]
fn two_recipients_cannot_be_given_different_keys() {
    let app = app();
    let mut seal = sealed_for(&sealer(&app), &[key(1), key(2)]);
    // A publisher who means ill wraps another key for the second, under the very same info.
    let public = <X25519HkdfSha256 as Kem>::PublicKey::from_bytes(key(2).recipient().as_bytes());
    let mut random = Counting(0);
    let (enc, wrapped) =
        hpke::single_shot_seal_with_rng::<AesGcm256, HkdfSha256, X25519HkdfSha256>(
            &OpModeS::Base,
            &public.unwrap(),
            &info(&app, &seal.commit),
            &[7; 32],
            &[],
            &mut random,
        )
        .unwrap();
    seal.recipients[1].enc = Hex::new(enc.to_bytes().into());
    seal.recipients[1].wrapped = Hex::new(wrapped.try_into().unwrap());
    assert!(seal.open(&app, &vec![key(1)]).unwrap().is_some());
    assert!(is_refused(seal.open(&app, &vec![key(2)])));
}

/// Numbers in a row, for a test that needs a key and no secret.
struct Counting(u8);

impl hpke::rand_core::TryRng for Counting {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Ok(0)
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        Ok(0)
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
        out.iter_mut().for_each(|byte| {
            self.0 = self.0.wrapping_add(1);
            *byte = self.0;
        });
        Ok(())
    }
}

impl hpke::rand_core::TryCryptoRng for Counting {}

#[test]
fn a_seal_has_between_one_and_thirty_two_recipients_each_once() {
    let app = app();
    let keys: Vec<_> = (1..=33).map(key).collect();
    let all = sealed_for(&sealer(&app), &keys);
    let with = |recipients: &[Recipient]| {
        Seal { recipients: recipients.to_vec(), ..all.clone() }.check().is_ok()
    };
    assert!(with(&all.recipients[..32]) && with(&all.recipients[..1]));
    assert!(!with(&all.recipients) && !with(&[]));
    assert!(!with(&[all.recipients[0].clone(), all.recipients[0].clone()]));
}

#[test]
fn a_system_without_randomness_seals_nothing() {
    struct Dry;
    impl crate::host::Random for Dry {
        fn bytes(&self) -> Option<[u8; 16]> {
            None
        }
    }
    let app = app();
    assert!(Sealer::new(&app, &Dry).is_err());
    /// Enough for a content key, and then no more.
    struct Drying(std::sync::atomic::AtomicU8);
    impl crate::host::Random for Drying {
        fn bytes(&self) -> Option<[u8; 16]> {
            let left = self.0.fetch_sub(1, std::sync::atomic::Ordering::Relaxed);
            (1..=2).contains(&left).then_some([left; 16])
        }
    }
    let drying = Drying(2.into());
    let sealer = Sealer::new(&app, &drying).unwrap();
    assert!(sealer.seal(&[key(1).recipient()]).is_err());
    assert!(sealer.object(Object::Pack).is_err());
}

/// One sealed object, and what opens it.
struct Sealed {
    content: ContentKey,
    salt: Digest,
    bytes: Vec<u8>,
}

impl Sealed {
    fn new(plain: &[u8]) -> Self {
        let app = app();
        let sealer = sealer(&app);
        let mut bytes = Vec::new();
        let length = plain.len() as u64;
        let salt = sealer.stream(Object::Index, &mut &*plain, length, &mut bytes).unwrap();
        Self { content: sealer.content().clone(), salt, bytes }
    }

    fn open_as(&self, app: &str, kind: Object, salt: &Digest, bytes: &[u8]) -> Result<Vec<u8>> {
        let key = self.content.object(&app.parse().unwrap(), kind, salt).unwrap();
        Unsealed::new(bytes, key, bytes.len() as u64)?.into_bytes()
    }

    fn open(&self, bytes: &[u8]) -> Result<Vec<u8>> {
        self.open_as("com.example.shop", Object::Index, &self.salt, bytes)
    }
}

fn plain(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * at / 7 + at) as u8).collect()
}

#[test]
fn objects_of_every_length_open_to_what_was_sealed() {
    let segment = SEGMENT as usize;
    let borders = [0, 1, 1015, 1016, 1017, segment - 9, segment - 8, segment - 7, segment];
    for length in borders.into_iter().chain([2 * segment - 8, 2 * segment - 7, 200_000]) {
        let plain = plain(length);
        let sealed = Sealed::new(&plain);
        assert_eq!(sealed.open(&sealed.bytes).unwrap(), plain, "{length}");
        let shape = Shape::travelling(sealed.bytes.len() as u64).unwrap();
        assert_eq!(shape, Shape::holding(length as u64).unwrap(), "{length}");
        assert_eq!(shape.padded % PADDING, 0);
    }
}

#[test]
fn small_reads_give_the_same_bytes() {
    let plain = plain(150_000);
    let sealed = Sealed::new(&plain);
    let key = sealed.content.object(&app(), Object::Index, &sealed.salt).unwrap();
    let mut reader = Unsealed::new(&sealed.bytes[..], key, sealed.bytes.len() as u64).unwrap();
    let (mut all, mut buffer, mut next) = (Vec::new(), [0; 977], 1);
    loop {
        let count = reader.read(&mut buffer[..next]).unwrap();
        if count == 0 {
            break;
        }
        all.extend_from_slice(&buffer[..count]);
        next = next % 977 + 1;
    }
    assert_eq!(all, plain);
}

#[test]
fn segments_cut_doubled_swapped_or_dropped_are_refused() {
    let sealed = Sealed::new(&plain(300_000));
    let size = (SEGMENT + TAG) as usize;
    let segments: Vec<&[u8]> = sealed.bytes.chunks(size).collect();
    let count = segments.len();
    assert_eq!(count, 5);
    for end in 0..count {
        assert!(is_refused(sealed.open(&segments[..end].concat())), "cut after {end}");
    }
    for at in 0..count {
        let mut doubled = segments.clone();
        doubled.insert(at, segments[at]);
        assert!(is_refused(sealed.open(&doubled.concat())), "{at} doubled");
        let mut dropped = segments.clone();
        dropped.remove(at);
        assert!(is_refused(sealed.open(&dropped.concat())), "{at} dropped");
        for other in at + 1..count {
            let mut swapped = segments.clone();
            swapped.swap(at, other);
            assert!(is_refused(sealed.open(&swapped.concat())), "{at} and {other} swapped");
        }
    }
    // The same number of segments from another object of the same release.
    let other = Sealed { bytes: Vec::new(), ..Sealed::new(&plain(300_000)) };
    assert!(is_refused(other.open(&sealed.bytes)));
}

#[test]
fn a_small_object_cut_at_any_byte_or_with_any_bit_flipped_is_refused() {
    let sealed = Sealed::new(b"farad-index 1\n");
    for end in 0..sealed.bytes.len() {
        assert!(is_refused(sealed.open(&sealed.bytes[..end])), "cut at {end}");
    }
    for bit in 0..sealed.bytes.len() * 8 {
        let mut bytes = sealed.bytes.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(is_refused(sealed.open(&bytes)), "bit {bit}");
    }
    assert!(is_refused(sealed.open(&[&sealed.bytes[..], b"x"].concat())), "something behind it");
}

#[test]
fn an_object_opens_in_its_own_place_alone() {
    let sealed = Sealed::new(b"{}");
    let open = |app: &str, kind, salt: &Digest| sealed.open_as(app, kind, salt, &sealed.bytes);
    assert!(open("com.example.shop", Object::Index, &sealed.salt).is_ok());
    assert!(is_refused(open("com.example.bank", Object::Index, &sealed.salt)));
    assert!(is_refused(open("com.example.shop", Object::Index, &Digest::of(b"salt"))));
    for kind in [Object::Layout, Object::Pack, Object::Patch, Object::Info] {
        assert!(is_refused(open("com.example.shop", kind, &sealed.salt)), "{kind:?}");
    }
    let other = Sealed { content: ContentKey::from_bytes([1; 32]), ..sealed };
    assert!(is_refused(other.open(&other.bytes)), "another release");
}

#[test]
fn whoever_has_the_content_key_still_cannot_write_an_object_two_ways() {
    let sealed = Sealed::new(b"x");
    let key = || sealed.content.object(&app(), Object::Index, &sealed.salt).unwrap();
    let make = |mut padded: Vec<u8>, number, last| {
        key().seal(number, last, &mut padded).unwrap();
        padded
    };
    let padded = |length: u64, content: &[u8]| {
        let mut bytes = [&length.to_be_bytes()[..], content].concat();
        bytes.resize(PADDING as usize, 0);
        bytes
    };
    assert!(sealed.open(&make(padded(1, b"x"), 0, true)).is_ok());
    for (what, forged) in [
        ("the last flag flipped", make(padded(1, b"x"), 0, false)),
        ("another number", make(padded(1, b"x"), 1, true)),
        ("a longer length", make(padded(2000, b"x"), 0, true)),
        ("a length without end", make(padded(u64::MAX, b"x"), 0, true)),
        ("padding that is not zero", make(padded(1, b"xy"), 0, true)),
        ("a tag and nothing else", make(Vec::new(), 0, true)),
    ] {
        assert!(is_refused(sealed.open(&forged)), "{what}");
    }
    let mut long = padded(1, b"x");
    long.resize(2 * PADDING as usize, 0);
    assert!(is_refused(sealed.open(&make(long, 0, true))), "more padding than is needed");
}

#[test]
fn a_label_tells_nothing_without_the_content_key() {
    let (one, two) = (ContentKey::from_bytes([1; 32]), ContentKey::from_bytes([2; 32]));
    let identity = Digest::of(b"index");
    assert_eq!(one.label(&identity).unwrap(), one.label(&identity).unwrap());
    assert_ne!(one.label(&identity).unwrap(), two.label(&identity).unwrap());
    assert_ne!(one.label(&identity).unwrap(), identity);
    assert_ne!(one.commit().unwrap(), two.commit().unwrap());
}

proptest! {
    #[test]
    fn every_length_has_one_shape_and_other_lengths_none(length in 0_u64..(1 << 31)) {
        let shape = Shape::holding(length).unwrap();
        prop_assert_eq!(Shape::travelling(shape.length()), Some(shape));
        for near in 1..PADDING {
            prop_assert_eq!(Shape::travelling(shape.length() + near).is_some(),
                Shape::holding(length + PADDING).unwrap().length() == shape.length() + near);
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..3000)) {
        let sealed = Sealed { content: ContentKey::from_bytes([1; 32]), salt: Digest::of(b""), bytes };
        prop_assert!(is_refused(sealed.open(&sealed.bytes)));
    }
}
