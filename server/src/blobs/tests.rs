use std::fs;

use futures_util::TryStreamExt;

use super::*;

fn blobs() -> (tempfile::TempDir, Blobs) {
    let dir = tempfile::tempdir().unwrap();
    let blobs = Blobs::open(dir.path()).unwrap();
    (dir, blobs)
}

fn chunks(pieces: &[&'static str]) -> impl Stream<Item = Result<Bytes, &'static str>> + use<> {
    stream::iter(pieces.iter().map(|piece| Ok(Bytes::from_static(piece.as_bytes()))).collect::<Vec<_>>())
}

/// Everything below the directory.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

#[tokio::test]
async fn bytes_and_a_stream_of_the_same_bytes_are_one_blob() {
    let (dir, blobs) = blobs();
    let whole = blobs.put(Bytes::from_static(b"model")).await.unwrap();
    let streamed = blobs.put_stream(chunks(&["mo", "", "del"]), 5).await.unwrap();
    assert_eq!((whole.bytes, &whole), (5, &streamed));
    assert_eq!(files(dir.path()).len(), 1);

    assert_eq!(blobs.get(&whole.digest).await.unwrap().unwrap(), "model");
    let chunks = blobs.get_stream(&whole.digest).await.unwrap().unwrap();
    assert_eq!(chunks.try_collect::<Vec<_>>().await.unwrap().concat(), b"model");
    assert_eq!(blobs.read(&whole.digest, 2, 2).await.unwrap().unwrap(), "de");
    assert_eq!(blobs.read(&whole.digest, 9, 2).await.unwrap().unwrap(), "");

    assert!(blobs.remove(&whole.digest).await.unwrap());
    assert!(!blobs.remove(&whole.digest).await.unwrap());
    assert!(!blobs.exists(&whole.digest).await.unwrap());
    assert!(blobs.get(&whole.digest).await.unwrap().is_none());
    assert!(blobs.get_stream(&whole.digest).await.unwrap().is_none());
}

#[tokio::test]
async fn nothing_is_kept_of_an_upload_that_fails() {
    let (dir, blobs) = blobs();
    let too_large = blobs.put_stream(chunks(&["mod", "els"]), 5).await;
    assert!(matches!(too_large, Err(BlobError::TooLarge { limit: 5 })));
    let broken = chunks(&["mod"]).chain(stream::iter([Err("connection reset")]));
    let error = blobs.put_stream(broken, 5).await.unwrap_err();
    assert_eq!(error.to_string(), "the upload broke off: connection reset");
    assert!(files(dir.path()).is_empty());
}

#[tokio::test]
async fn a_damaged_blob_is_told_from_a_good_one() {
    let (dir, blobs) = blobs();
    let blob = blobs.put(Bytes::from_static(b"model")).await.unwrap();
    fs::write(&files(dir.path())[0], "modem").unwrap();
    assert!(matches!(blobs.get(&blob.digest).await, Err(BlobError::Damaged { .. })));
    let chunks = blobs.get_stream(&blob.digest).await.unwrap().unwrap();
    assert!(matches!(chunks.try_collect::<Vec<_>>().await, Err(BlobError::Damaged { .. })));
    // Putting it again mends it.
    blobs.put(Bytes::from_static(b"model")).await.unwrap();
    assert_eq!(blobs.get(&blob.digest).await.unwrap().unwrap(), "model");
}

#[tokio::test]
async fn an_append_is_taken_once_and_never_leaves_a_gap() {
    let dir = tempfile::tempdir().unwrap();
    let logs = LogStore::open(dir.path()).unwrap();
    let name = "acme/digits/7/../eval.0/1";
    let append = |offset, bytes: &'static str| logs.append(name, offset, bytes.as_bytes());
    assert_eq!(append(3, "x").await.unwrap(), Appended::Gap { length: 0 });
    assert_eq!(append(0, "hello").await.unwrap(), Appended::Length(5));
    assert_eq!(append(0, "hello").await.unwrap(), Appended::Length(5));
    assert_eq!(append(3, "lo, world").await.unwrap(), Appended::Length(12));
    assert_eq!(append(1, "el").await.unwrap(), Appended::Length(12));
    assert_eq!(append(13, "!").await.unwrap(), Appended::Gap { length: 12 });
    assert_eq!(logs.read(name, 0, 100).await.unwrap(), "hello, world");
    assert_eq!(logs.read(name, 7, 3).await.unwrap(), "wor");
    assert_eq!(logs.read(name, 99, 3).await.unwrap(), "");
    assert_eq!(logs.read("another", 0, 3).await.unwrap(), "");

    let again = LogStore::open(dir.path()).unwrap();
    assert_eq!(again.length(name).await.unwrap(), 12);
    assert_eq!(again.append(name, 12, b"!").await.unwrap(), Appended::Length(13));
}

#[tokio::test]
async fn a_finished_log_becomes_a_blob_and_goes_when_it_is_told_to() {
    let (dir, blobs) = blobs();
    let logs = LogStore::open(&dir.path().join("logs")).unwrap();
    let watched = logs.watch("log");
    let line = "0123456789abcde\n".repeat(64 * 1024);
    for part in 0..12 {
        let length = line.len() as u64;
        assert_eq!(
            logs.append("log", part * length, line.as_bytes()).await.unwrap(),
            Appended::Length((part + 1) * length)
        );
    }
    assert!(watched.has_changed().unwrap());
    let blob = logs.finalise("log", &blobs).await.unwrap();
    assert_eq!(logs.finalise("log", &blobs).await.unwrap(), blob);
    assert!(logs.remove("log").await.unwrap());
    assert!(!logs.remove("log").await.unwrap());
    assert_eq!(logs.length("log").await.unwrap(), 0);
    assert!(blobs.get(&blob.digest).await.unwrap().unwrap() == line.repeat(12));
    let empty = logs.finalise("never written", &blobs).await.unwrap();
    assert_eq!(empty.bytes, 0);
}

/// Many senders of one log, each repeating what others sent: one log of the right bytes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_repeats_leave_one_log() {
    let dir = tempfile::tempdir().unwrap();
    let logs = LogStore::open(dir.path()).unwrap();
    let mut senders = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let logs = logs.clone();
        senders.spawn(async move {
            let mut offset = 0;
            while offset < 200 {
                let bytes = (offset..offset + 10).map(|at| u8::try_from(at).unwrap()).collect::<Vec<_>>();
                match logs.append("log", offset, &bytes).await.unwrap() {
                    Appended::Length(_) => offset += 10,
                    Appended::Gap { length } => offset = length,
                }
            }
        });
    }
    senders.join_all().await;
    assert_eq!(logs.read("log", 0, 1000).await.unwrap(), (0..200).collect::<Vec<u8>>());
}
