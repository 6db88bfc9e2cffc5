use std::os::unix::fs::symlink;

use drover_model::{ids::AllocId, rpc::client::LogRead};
use drover_runtime::rpc::ItemStream;

use super::*;

fn allocation() -> tempfile::TempDir {
    let outside = tempfile::tempdir().unwrap();
    let root = outside.path().join("alloc-id");
    for folder in ["alloc/logs", "app/local", "app/secrets"] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    fs::write(outside.path().join("host"), "host").unwrap();
    fs::write(root.join("app/secrets/key"), "hunter2").unwrap();
    fs::write(root.join("app/local/file"), "text").unwrap();
    for (number, text) in [(3, "three"), (4, "four"), (10, "ten")] {
        fs::write(root.join(format!("alloc/logs/app.stdout.{number}")), text).unwrap();
    }
    symlink("../secrets/key", root.join("app/local/link")).unwrap();
    symlink(outside.path().join("host"), root.join("app/local/out")).unwrap();
    symlink("/etc", root.join("app/local/etc")).unwrap();
    outside
}

#[test]
fn what_may_not_be_read() {
    let outside = allocation();
    let root = outside.path().join("alloc-id");
    for (path, want) in [
        ("../host", "Path escapes the alloc directory"),
        ("../../../etc/passwd", "Path escapes the alloc directory"),
        ("app/local/out", "Path escapes the alloc directory"),
        ("app/local/etc/passwd", "Path escapes the alloc directory"),
        ("app/secrets/key", "Reading secret file prohibited: app/secrets/key"),
        ("/app/./secrets/../secrets/key", "Reading secret file prohibited: /app/./secrets/../secrets/key"),
        ("app/local/link", "Reading secret file prohibited: app/local/link"),
        ("app/secrets", "Reading secret file prohibited: app/secrets"),
        ("nope", "stat alloc-id/nope: no such file or directory"),
    ] {
        assert_eq!(open(&root, path).map(drop).unwrap_err().message, want, "{path}");
        assert_eq!(stat(&root, path).unwrap_err().message, want, "{path}");
    }
    assert!(list(&root, "app/secrets").is_err());
    let names: Vec<String> = list(&root, "/app").unwrap().into_iter().map(|info| info.name).collect();
    assert_eq!(names, ["local", "secrets"], "that there are secrets is none");
}

#[test]
fn files_are_described_as_the_api_does() {
    let outside = allocation();
    let root = outside.path().join("alloc-id");
    let path = root.join("app/local/file");
    fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
    let info = stat(&root, "app/local/file").unwrap();
    assert_eq!((info.name.as_str(), info.size, info.file_mode.as_str(), info.is_dir), ("file", 4, "-rw-r--r--", false));
    assert_eq!(info.content_type, "text/plain; charset=utf-8");
    fs::set_permissions(root.join("app"), PermissionsExt::from_mode(0o1777)).unwrap();
    assert_eq!(stat(&root, "app").unwrap().file_mode, "dtrwxrwxrwx");
}

async fn read_logs(root: &Path, offset: u64, from_end: bool) -> (String, Vec<String>) {
    let request = LogRead {
        alloc_id: AllocId::from_random([0; 16]),
        task: "app".to_owned(),
        kind: "stdout".to_owned(),
        offset,
        from_end,
        follow: false,
    };
    let root = root.to_owned();
    let mut stream = ItemStream::local(move |sink| async move { logs(&root, &request, &sink, None).await });
    let (mut text, mut files) = (String::new(), Vec::new());
    while let Some(frame) = stream.next().await {
        let frame: FileFrame = frame.unwrap();
        text.push_str(std::str::from_utf8(&frame.data).unwrap());
        files.push(frame.file);
    }
    (text, files)
}

#[tokio::test]
async fn rotated_logs_are_read_as_one() {
    let outside = allocation();
    let root = outside.path().join("alloc-id");
    for (name, offset, from_end, want) in [
        ("all", 0, false, "threefourten"),
        ("from an offset", 6, false, "ourten"),
        ("the end", 5, true, "urten"),
        ("more than there is, from the end", 99, true, "threefourten"),
        ("beyond the end", 99, false, ""),
    ] {
        assert_eq!(read_logs(&root, offset, from_end).await.0, want, "{name}");
    }
    assert_eq!(read_logs(&root, 0, false).await.1, ["alloc/logs/app.stdout.3", "alloc/logs/app.stdout.4", "alloc/logs/app.stdout.10"]);
}
