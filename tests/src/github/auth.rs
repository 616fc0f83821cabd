//! Who asks: the App with a JWT (RS256), or an installation with a token. Checked by OpenSSL, not by
//! the library that our client signs with.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use openssl::{
    hash::MessageDigest,
    pkey::{PKey, Private, Public},
    rsa::Rsa,
    sign::Verifier,
};
use serde_json::Value;

/// A fresh key pair: the App's private key in PEM, PKCS#1 as GitHub hands it out, and what GitHub keeps.
pub struct Keys {
    pub private_pem: String,
    pub public: PKey<Public>,
}

impl Keys {
    pub fn generate() -> Self {
        let rsa: Rsa<Private> = Rsa::generate(2048).expect("OpenSSL makes keys");
        let private_pem = String::from_utf8(rsa.private_key_to_pem().expect("a key has a PEM")).expect("PEM is ASCII");
        let public = PKey::public_key_from_pem(&rsa.public_key_to_pem().expect("a key has a PEM")).expect("just made");
        Self { private_pem, public }
    }
}

/// Why a JWT is refused, in GitHub's words where they are known.
pub fn check_jwt(jwt: &str, app_id: u64, key: &PKey<Public>, now: i64) -> Result<(), String> {
    let (signed, signature) = jwt.rsplit_once('.').ok_or("A JSON web token could not be decoded")?;
    let (header, claims) = signed.split_once('.').ok_or("A JSON web token could not be decoded")?;
    let header = json_part(header)?;
    if header["alg"] != "RS256" {
        return Err(format!("alg {} is not RS256", header["alg"]));
    }
    let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).map_err(|error| error.to_string())?;
    let mut verifier = Verifier::new(MessageDigest::sha256(), key).map_err(|error| error.to_string())?;
    if !verifier.verify_oneshot(&signature, signed.as_bytes()).unwrap_or(false) {
        return Err("A JSON web token could not be decoded".to_owned());
    }
    let claims = json_part(claims)?;
    let issuer = claims["iss"].as_u64().or_else(|| claims["iss"].as_str().and_then(|iss| iss.parse().ok()));
    if issuer != Some(app_id) {
        return Err(format!("'Issuer' claim ('iss') {} is no App's", claims["iss"]));
    }
    let time = |name: &str| claims[name].as_i64().ok_or(format!("claim {name} is missing"));
    let (issued, expires) = (time("iat")?, time("exp")?);
    if issued > now {
        return Err("'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued"
            .to_owned());
    }
    if expires <= now {
        return Err("'Expiration time' claim ('exp') must be a numeric value representing the future time".to_owned());
    }
    if expires - now > 600 {
        return Err("'Expiration time' claim ('exp') is too far in the future".to_owned());
    }
    Ok(())
}

fn json_part(part: &str) -> Result<Value, String> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(part).map_err(|error| error.to_string())?;
    serde_json::from_slice(&bytes).map_err(|error| error.to_string())
}
