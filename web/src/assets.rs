//! The files that pages load, named by their content so that browsers may keep them for ever.

use std::sync::LazyLock;

struct Named {
    stem: &'static str,
    /// `style.1f2e3d4c5b6a7988.css`
    name: String,
    bytes: &'static [u8],
    content_type: &'static str,
}

static ASSETS: LazyLock<[Named; 3]> = LazyLock::new(|| {
    [
        named("style", "css", "text/css; charset=utf-8", include_bytes!("../assets/style.css")),
        named("app", "js", "text/javascript; charset=utf-8", include_bytes!("../assets/app.js")),
        named("icon", "svg", "image/svg+xml", include_bytes!("../assets/icon.svg")),
    ]
});

fn named(stem: &'static str, extension: &str, content_type: &'static str, bytes: &'static [u8]) -> Named {
    let name = format!("{stem}.{:016x}.{extension}", fnv1a(bytes));
    Named { stem, name, bytes, content_type }
}

/// The bytes and content type of the file that pages load as `/assets/{name}`; none if there is no such file (or no
/// longer). Serve it with `cache-control: public, max-age=31536000, immutable`.
pub fn asset(name: &str) -> Option<(&'static [u8], &'static str)> {
    ASSETS.iter().find(|named| named.name == name).map(|named| (named.bytes, named.content_type))
}

/// The address of `style`, `app` or `icon`.
pub(crate) fn url(stem: &str) -> String {
    let named = ASSETS.iter().find(|named| named.stem == stem).expect("templates name files that exist");
    format!("/assets/{}", named.name)
}

/// FNV-1a of 64 bits: tells versions of our own files apart, no more is asked of it.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_that_pages_use_leads_to_its_file() {
        for (stem, content_type) in [("style", "text/css"), ("app", "text/javascript"), ("icon", "image/svg+xml")] {
            let url = url(stem);
            let (bytes, served_as) = asset(url.strip_prefix("/assets/").unwrap()).unwrap();
            assert!(served_as.starts_with(content_type));
            assert!(!bytes.is_empty());
        }
        assert_eq!(asset("style.css"), None);
        assert_eq!(asset("../Cargo.toml"), None);
    }
}
