//! Encryption under a password, and passwords that are computed instead of kept.
//!
//! What draws something new at each call (hashes with a salt, keys, certificates) is not here: it would be another text in each pass.

use aws_lc_rs::cipher::{
    AES_256, DecryptionContext, EncryptionContext, PaddedBlockDecryptingKey, PaddedBlockEncryptingKey, UnboundCipherKey,
};
use aws_lc_rs::iv::FixedLength;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::functions::hash::{bytes, hmac_sha256};
use crate::functions::string;
use crate::go::context::Context;
use crate::go::function::{Answer, Fault, Function, Type, text};
use crate::go::value::Value;
use crate::limits::DERIVED_PASSWORDS;

use super::kinds::to_int;
use super::scrypt::scrypt;

const STR: Type = Type::Str;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("sprig_encryptAES", &[STR, STR], encrypt),
    Function::new("sprig_decryptAES", &[STR, STR], decrypt),
    Function::new("sprig_derivePassword", &[Type::Any, STR, STR, STR, STR], derive_password),
];

const KEY_BYTES: usize = 32;
const IV_BYTES: usize = 16;

/// The password itself is the key, cut or filled with zeros.
fn key(password: &Value) -> Result<UnboundCipherKey, Fault> {
    let mut key = [0; KEY_BYTES];
    key.iter_mut().zip(bytes(password)).for_each(|(slot, byte)| *slot = *byte);
    UnboundCipherKey::new(&AES_256, &key).map_err(|_| "the key cannot be used".into())
}

/// In CBC mode, behind its initial vector. That is computed from key and text, not drawn: the same pass gives the same text, and nobody learns more from it
/// than that two texts are equal.
fn encrypt(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let (password, plain) = (bytes(&arguments[0]), bytes(&arguments[1]));
    let mut iv = [0; IV_BYTES];
    iv.copy_from_slice(&hmac_sha256(password, plain)[..IV_BYTES]);
    let failed = |_| Fault::from("the text cannot be encrypted");
    let mut sealed = plain.to_vec();
    let cipher = PaddedBlockEncryptingKey::cbc_pkcs7(key(&arguments[0])?).map_err(failed)?;
    cipher.less_safe_encrypt(&mut sealed, EncryptionContext::Iv128(FixedLength::from(iv))).map_err(failed)?;
    Ok(string(STANDARD.encode([&iv[..], &sealed].concat())))
}

fn decrypt(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let failed = |_| Fault::from("the text cannot be decrypted with this password");
    let all = STANDARD.decode(bytes(&arguments[1])).map_err(|_| Fault::from("the text to decrypt is no base64"))?;
    let (iv, sealed) = all.split_first_chunk::<IV_BYTES>().ok_or_else(|| Fault::from("the text to decrypt is too short"))?;
    let cipher = PaddedBlockDecryptingKey::cbc_pkcs7(key(&arguments[0])?).map_err(failed)?;
    let mut plain = sealed.to_vec();
    let plain = cipher.decrypt(&mut plain, DecryptionContext::Iv128(FixedLength::from(*iv))).map_err(failed)?;
    Ok(Value::from(plain.to_vec()))
}

const SEED: &[u8] = b"com.lyndir.masterpassword";
/// How a password of each kind may look: each letter stands for a class of characters.
const SHAPES: [(&str, &[&str]); 6] = [
    ("maximum", &["anoxxxxxxxxxxxxxxxxx", "axxxxxxxxxxxxxxxxxno"]),
    (
        "long",
        &[
            "CvcvnoCvcvCvcv",
            "CvcvCvcvnoCvcv",
            "CvcvCvcvCvcvno",
            "CvccnoCvcvCvcv",
            "CvccCvcvnoCvcv",
            "CvccCvcvCvcvno",
            "CvcvnoCvccCvcv",
            "CvcvCvccnoCvcv",
            "CvcvCvccCvcvno",
            "CvcvnoCvcvCvcc",
            "CvcvCvcvnoCvcc",
            "CvcvCvcvCvccno",
            "CvccnoCvccCvcv",
            "CvccCvccnoCvcv",
            "CvccCvccCvcvno",
            "CvcvnoCvccCvcc",
            "CvcvCvccnoCvcc",
            "CvcvCvccCvccno",
            "CvccnoCvcvCvcc",
            "CvccCvcvnoCvcc",
            "CvccCvcvCvccno",
        ],
    ),
    ("medium", &["CvcnoCvc", "CvcCvcno"]),
    ("short", &["Cvcn"]),
    ("basic", &["aaanaaan", "aannaaan", "aaannaaa"]),
    ("pin", &["nnnn"]),
];

fn class(letter: u8) -> &'static [u8] {
    match letter {
        b'V' => b"AEIOU",
        b'C' => b"BCDFGHJKLMNPQRSTVWXYZ",
        b'v' => b"aeiou",
        b'c' => b"bcdfghjklmnpqrstvwxyz",
        b'A' => b"AEIOUBCDFGHJKLMNPQRSTVWXYZ",
        b'a' => b"AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz",
        b'n' => b"0123456789",
        b'o' => b"@&%?,=[]_:-+*$#!'^~;()/.",
        _ => b"AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz0123456789!@#$%^&*()",
    }
}

/// A site's password from a master password, as the published Master Password algorithm (version 3) has it.
fn derive_password(context: &mut Context<'_>, arguments: &[Value]) -> Answer {
    context.derived += 1;
    if context.derived > DERIVED_PASSWORDS {
        return Err(Fault::Limit(format!("more than {DERIVED_PASSWORDS} derived passwords in one pass")));
    }
    let counter = u32::try_from(to_int(&arguments[0])).map_err(|_| Fault::from("the counter must be a whole number from 0 on"))?;
    let [kind, master, user, site] = [1, 2, 3, 4].map(|index| text(&arguments[index]).into_owned());
    let Some((_, shapes)) = SHAPES.iter().find(|(name, _)| *name == kind) else {
        return Ok(string(format!("cannot find password template {kind}")));
    };
    let named = |name: &str| {
        let length = u32::try_from(name.len()).unwrap_or(u32::MAX);
        [SEED, &length.to_be_bytes(), name.as_bytes()].concat()
    };
    let key = scrypt(master.as_bytes(), &named(&user));
    let seed = hmac_sha256(&key, &[named(&site), counter.to_be_bytes().to_vec()].concat());
    let shape = shapes[usize::from(seed[0]) % shapes.len()].bytes();
    let letter = |(letter, byte): (u8, &u8)| {
        let class = class(letter);
        char::from(class[usize::from(*byte) % class.len()])
    };
    Ok(string(shape.zip(&seed[1..]).map(letter).collect::<String>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_the_one_that_others_derive() {
        let Ok(Value::Str(derived)) = derived(1, "long", "example.com") else { panic!("it is a text") };
        assert_eq!(derived.to_str(), "ZedaFaxcZaso9*");
    }

    fn derived(counter: i64, kind: &str, site: &str) -> Answer {
        let (view, environment) = (crate::engine::View::new(), crate::engine::Environment::default());
        let pass = crate::engine::Pass { view: &view, environment: &environment, now: jiff::Timestamp::UNIX_EPOCH, host: None };
        let arguments = [Value::int(counter), kind.into(), "password".into(), "user".into(), site.into()];
        derive_password(&mut Context::new(&pass), &arguments)
    }

    #[test]
    fn what_is_encrypted_opens_with_its_password_alone() {
        let (view, environment) = (crate::engine::View::new(), crate::engine::Environment::default());
        let pass = crate::engine::Pass { view: &view, environment: &environment, now: jiff::Timestamp::UNIX_EPOCH, host: None };
        let mut context = Context::new(&pass);
        for plain in ["", "secret data", "0123456789abcdef"] {
            let sealed = encrypt(&mut context, &["key".into(), plain.into()]).unwrap();
            assert!(!text(&sealed).contains("secret"));
            assert_eq!(text(&decrypt(&mut context, &["key".into(), sealed.clone()]).unwrap()), plain);
            assert!(decrypt(&mut context, &["other".into(), sealed]).is_err());
        }
        // Made by another program from the same password.
        let known = "AAECAwQFBgcICQoLDA0OD0d/I0fiCZR8RFWWNksNjQg=";
        assert_eq!(text(&decrypt(&mut context, &["a password".into(), known.into()]).unwrap()), "from elsewhere");
        for bad in ["", "!", "YQ=="] {
            assert!(decrypt(&mut context, &["key".into(), bad.into()]).is_err(), "{bad:?}");
        }
    }
}
