//! Under bubblewrap, where it works on this machine.

use runner::process::sandbox::Sandbox;
use workflows::{protocol::Isolation, run::Conclusion};

use crate::harness::{Bench, is_alive, until};

/// A bench with a sandbox; none, and said so, where there is none to test.
async fn sandboxed() -> Option<Bench> {
    let mut bench = Bench::new();
    let digest = format!("sha256:{}", "0".repeat(64));
    let model = format!(r#"{{"path":"m/a","digest":"{digest}","bytes":9}}"#);
    bench.fake_assay(&format!("#!/bin/sh\necho '{{\"model\":{model},\"parameters\":1,\"nodes\":3}}'\n"));
    match Sandbox::detect(&bench.path().canonicalize().unwrap(), &[bench.assay.clone()]).await {
        Ok(sandbox) => {
            bench.sandbox = sandbox;
            Some(bench)
        }
        Err(why) => {
            eprintln!("not run: {why}");
            None
        }
    }
}

#[tokio::test]
async fn a_step_sees_its_job_and_nothing_else() {
    let Some(mut bench) = sandboxed().await else { return };
    std::fs::write(bench.path().join("secret"), "of the runner").unwrap();
    let secret = bench.path().join("secret");
    let done = bench
        .run(&format!(
            r#"
    outputs: {{ o: "${{{{ steps.s.outputs.o }}}}" }}
    steps:
      - id: s
        env: {{ LD_PRELOAD: /nonexistent.so }}
        run: |
          echo written > file; echo "o=$(cat file)" >> "$GITHUB_OUTPUT"; echo t > /tmp/x; echo h > ~/x
          cat {} || echo no secret
          cat /etc/shadow || echo no shadow
          unshare -U true || echo no namespace
          rm -rf "$(dirname "$GITHUB_OUTPUT")" 2>/dev/null || echo files stay
          grep CapEff /proc/self/status
          echo "processes: $(ls /proc | grep -c '^[0-9]')"
          if [ -t 0 ]; then echo terminal; else cat; echo "stdin is empty"; fi
      - run: cat file
"#,
            secret.display()
        ))
        .await;
    done.concluded(Conclusion::Success)
        .logged("\nno secret")
        .logged("\nno shadow")
        .logged("\nno namespace")
        .logged("\nfiles stay")
        .logged("\nstdin is empty")
        .logged("CapEff:\t0000000000000000");
    assert_eq!(done.result.outputs["o"], "written");
    assert_eq!(done.result.isolation, Isolation::Bubblewrap);
}

#[tokio::test]
async fn actions_work_in_it_too() {
    let Some(mut bench) = sandboxed().await else { return };
    let done = bench
        .run(
            r#"
    steps:
      - run: mkdir m; echo x > m/a
      - { uses: assay/upload-artifact@v1, with: { name: m, path: m } }
      - { uses: assay/download-artifact@v1, with: { name: m, path: n } }
      - run: cat n/a; echo more >> n/a
      - { id: i, uses: assay/inspect@v1, with: { model: m/a } }
      - run: echo nodes=${{ steps.i.outputs.model_nodes }}
      - run: ln -s /etc/passwd m/link; ln -sf /etc/hostname stolen
      - { uses: assay/upload-artifact@v1, with: { name: links, path: "m\nstolen" } }
"#,
        )
        .await;
    done.concluded(Conclusion::Success).logged("\nnodes=3").logged("symbolic links are left out");
}

#[tokio::test]
async fn a_cancelled_step_may_clean_up_and_then_its_whole_tree_is_gone() {
    let Some(mut bench) = sandboxed().await else { return };
    let (log, cancel) = (bench.log(), bench.cancel.clone());
    let marker = format!("{}", 600_000 + std::process::id());
    let job = format!(
        r#"
    steps:
      - run: |
          trap 'echo interrupted; exit 1' INT
          setsid sleep {marker} &
          echo ready; while :; do sleep 0.05; done
"#
    );
    let sleeper = |marker: &str| {
        let all = runner::process::tree::snapshot();
        all.iter().find_map(|process| {
            let line = std::fs::read(format!("/proc/{}/cmdline", process.pid)).ok()?;
            (line == format!("sleep\0{marker}\0").as_bytes()).then_some(process.pid)
        })
    };
    let mut pid = None;
    let (done, ()) = tokio::join!(bench.run(&job), async {
        until("the step is ready", || String::from_utf8_lossy(&log.lock().unwrap()).contains("\nready\n")).await;
        until("the sleeper runs", || {
            pid = sleeper(&marker);
            pid.is_some()
        })
        .await;
        cancel.cancel();
    });
    done.concluded(Conclusion::Cancelled).logged("\ninterrupted");
    until("the sleeper is gone", || !is_alive(pid.unwrap())).await;
}
