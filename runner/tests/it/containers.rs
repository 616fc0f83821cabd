//! `container:` with an engine whose containers are files and whose insides are this machine: what is asked of an engine,
//! in which order, and what a step then finds.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};

use runner::{job::container::Engine, process::sandbox::Sandbox};
use workflows::run::Conclusion;

use crate::harness::{Bench, Done, until};

/// The client. Its state is beside it: `calls`, a file for each container, and what it was last logged in with.
const CLIENT: &str = r#"#!/bin/sh
state="$(dirname "$0")/state"
printf '%s\n' "$*" >> "$state/calls"
die() { echo "Error response from daemon: $*" >&2; exit 1; }
case "$1" in
pull)
  [ -n "$DOCKER_CONFIG" ] && cp "$DOCKER_CONFIG/config.json" "$state/login"
  case "$2" in missing*|local*) die "pull access denied for $2" ;; esac
  echo "Status: Downloaded newer image for $2" ;;
image)
  case "$5" in missing*) die "No such image: $5" ;; esac
  echo sha256:0123abcd ;;
context) echo unix:///nowhere.sock ;;
create)
  touch "$state/$3" ; echo 0123abcd ;;
start) [ -e "$state/$2" ] || die "no container $2" ;;
exec)
  shift
  if [ "$1" = --user ]; then shift 2; fi
  [ -e "$state/$1" ] || die "no container $1"
  name=$1 ; shift
  # As runc does: a session of its own, and nothing of the client's environment.
  exec setsid --wait env -i PATH=/usr/bin:/bin INSIDE="$name" "$@" ;;
rm)
  shift 3
  for name; do rm "$state/$name"; done ;;
ps) (cd "$state" && ls | grep '^assay-') ;;
*) die "unknown command $1" ;;
esac
"#;

struct Fleet {
    bench: Bench,
    state: PathBuf,
}

impl Fleet {
    fn new() -> Self {
        let mut bench = Bench::new();
        let client = bench.path().join("docker");
        let state = bench.path().join("state");
        fs::create_dir(&state).unwrap();
        fs::write(&client, CLIENT).unwrap();
        fs::set_permissions(&client, fs::Permissions::from_mode(0o755)).unwrap();
        bench.engine = Some(Engine::at(client));
        Self { bench, state }
    }

    async fn run(&mut self, job: &str) -> Done {
        self.bench.run(job).await
    }

    fn calls(&self) -> String {
        fs::read_to_string(self.state.join("calls")).unwrap_or_default()
    }

    /// Containers that are there.
    fn containers(&self) -> usize {
        fs::read_dir(&self.state)
            .unwrap()
            .flatten()
            .filter(|e| e.file_name().to_string_lossy().starts_with("assay-"))
            .count()
    }
}

#[tokio::test]
async fn steps_run_within_and_speak_to_each_other_as_ever() {
    let mut fleet = Fleet::new();
    fleet.bench.secrets = vec![("KEY", "correct-horse")];
    let done = fleet
        .run(
            r#"
    container:
      image: "python:${{ matrix.model }}"
      env: { LEVEL: container, ONLY: here }
      options: --cpus 2
    env: { LEVEL: job, KEY: "${{ secrets.KEY }}" }
    outputs: { text: "${{ steps.first.outputs.text }}" }
    steps:
      - id: first
        run: |
          test "$INSIDE" = "${{ job.container.id }}" && echo within
          echo "level $LEVEL, only $ONLY, shell $0, in $PWD, at home $HOME"
          echo "of the machine: [$CARGO_MANIFEST_DIR]"
          echo 'text=it is' >> "$GITHUB_OUTPUT"; echo "LATER=from-env" >> "$GITHUB_ENV"
          mkdir -p sub bin && printf '#!/bin/sh\necho tool ran' > bin/tool && chmod +x bin/tool
          echo "$PWD/bin" >> "$GITHUB_PATH"
      - { working-directory: sub, shell: bash, run: 'tool; echo "$LATER in ${PWD##*/} of $BASH"' }
      - { run: exit 7, working-directory: nowhere, continue-on-error: true }
      - run: exit 9
"#,
        )
        .await;
    done.concluded(Conclusion::Failure)
        .logged("\nwithin\n")
        .logged("\nlevel job, only here, shell ")
        .logged("/workspace, at home ")
        .logged("\nof the machine: []\n")
        .logged("\ntool ran")
        .logged("from-env in sub of /usr/bin/bash")
        .logged("shell: sh -e {0}")
        .logged("Image sha256:0123abcd, container assay-")
        .not_logged("correct-horse");
    assert_eq!(done.result.outputs["text"], "it is");
    assert_eq!(done.conclusions(), ["success", "success", "success", "failure"]);
    assert!(done.result.summary.as_ref().unwrap().contains("exit code 9"), "{:?}", done.result.summary);
    let calls = fleet.calls();
    assert!(calls.starts_with("pull python:small\nimage inspect --format {{.Id}} python:small\ncreate --name assay-"));
    assert!(calls.contains(" --cpus 2 --entrypoint tail python:small -f /dev/null\nstart assay-"), "{calls}");
    assert!(!calls.contains("correct-horse"), "a command line is everybody's to read: {calls}");
    assert_eq!(fleet.containers(), 0);
}

#[tokio::test]
async fn files_are_given_back_before_an_action_reads_them_and_at_the_end() {
    let mut fleet = Fleet::new();
    let done = fleet
        .run(
            r#"
    container: python:3.12
    steps:
      - run: echo one > one
      - uses: assay/upload-artifact@v1
        with: { name: one, path: one }
      - run: echo two > two
"#,
        )
        .await;
    done.concluded(Conclusion::Success);
    let calls = fleet.calls();
    let words: Vec<&str> =
        calls.lines().filter_map(|line| line.split(' ').find(|w| ["/bin/sh", "chown", "rm"].contains(w))).collect();
    // The first asks who owns the directories.
    assert_eq!(words, ["/bin/sh", "/bin/sh", "chown", "/bin/sh", "chown", "rm"], "{calls}");
}

#[tokio::test]
async fn without_the_container_no_step_runs_on_the_machine() {
    let steps = "    steps:\n      - run: echo on the machine\n      - { run: echo on the machine, if: always() }\n";
    let mut fleet = Fleet::new();
    let done = fleet.run(&format!("    container: missing:1\n{steps}")).await;
    done.concluded(Conclusion::Failure).not_logged("\non the machine");
    let summary = done.result.summary.clone().unwrap();
    assert_eq!(summary, "the container `missing:1`: Error response from daemon: pull access denied for missing:1");
    assert_eq!(done.conclusions(), ["skipped", "failure"]);
    let done = fleet.run(&format!("    container: --privileged\n{steps}")).await;
    done.concluded(Conclusion::Failure).not_logged("\non the machine");
    assert!(done.result.summary.as_ref().unwrap().contains("no name of an image"));
    fleet.bench.engine = None;
    let done = fleet.run(&format!("    container: python:3.12\n{steps}")).await;
    done.concluded(Conclusion::Failure).not_logged("\non the machine");
    assert!(done.result.summary.as_ref().unwrap().contains("needs Docker or Podman"), "{:?}", done.result.summary);
    // The place of the job, for the annotation.
    assert_eq!(done.result.annotations[0].line, 3);
}

#[tokio::test]
async fn an_image_that_is_here_serves_where_no_registry_does() {
    let mut fleet = Fleet::new();
    let done = fleet.run("    container: local:1\n    steps:\n      - run: test -n \"$INSIDE\"\n").await;
    done.concluded(Conclusion::Success).logged("##[warning]The image cannot be pulled");
}

#[tokio::test]
async fn an_expression_gives_the_image_or_all_of_it_or_no_container() {
    let mut fleet = Fleet::new();
    let container = r#"${{ fromJSON('{"image": "python:3.12", "env": {"A": 1}, "options": "--cpus 2"}') }}"#;
    let step = r#"[{ run: 'echo "inside [${INSIDE%%-*}] A [$A]"' }]"#;
    let done = fleet.run(&format!("    container: >-\n      {container}\n    steps: {step}\n")).await;
    done.concluded(Conclusion::Success).logged("\ninside [assay] A [1]");
    assert!(fleet.calls().contains("--cpus 2 --entrypoint tail python:3.12"), "{}", fleet.calls());
    let done = fleet.run(&format!("    container: ${{{{ matrix.nothing }}}}\n    steps: {step}\n")).await;
    done.concluded(Conclusion::Success).logged("\ninside [] A []");
}

#[tokio::test]
async fn a_password_is_in_no_command_line_and_not_kept() {
    let mut fleet = Fleet::new();
    fleet.bench.secrets = vec![("TOKEN", "correct-horse")];
    let done = fleet
        .run(
            r#"
    container:
      image: ghcr.io/acme/train:1
      credentials: { username: ada, password: "${{ secrets.TOKEN }}" }
    steps:
      - run: find "$(dirname "$PWD")" -name config.json
"#,
        )
        .await;
    done.concluded(Conclusion::Success).not_logged("/config.json\n");
    let login: serde_json::Value = serde_json::from_slice(&fs::read(fleet.state.join("login")).unwrap()).unwrap();
    // base64 of `ada:correct-horse`.
    assert_eq!(login["auths"]["ghcr.io"]["auth"], "YWRhOmNvcnJlY3QtaG9yc2U=");
    assert!(!fleet.calls().contains("correct-horse"));
}

#[tokio::test]
async fn a_cancelled_step_is_heard_out_within() {
    let mut fleet = Fleet::new();
    let (cancel, log) = (fleet.bench.cancel.clone(), fleet.bench.log());
    let job = r#"
    container: python:3.12
    steps:
      - run: |
          trap 'echo cleaned up; exit 3' INT
          echo ready; while :; do sleep 0.05; done
      - { run: echo last words, if: always() }
"#;
    let cancelling = tokio::spawn(async move {
        until("the step has begun", || String::from_utf8_lossy(&log.lock().unwrap()).contains("\nready\n")).await;
        cancel.cancel();
    });
    let done = fleet.run(job).await;
    cancelling.await.unwrap();
    done.concluded(Conclusion::Cancelled).logged("\ncleaned up").logged("\nlast words");
    assert_eq!(fleet.containers(), 0);
}

#[tokio::test]
async fn a_job_that_is_dropped_leaves_no_container() {
    let mut fleet = Fleet::new();
    let log = fleet.bench.log();
    let begun = until("the step has begun", || String::from_utf8_lossy(&log.lock().unwrap()).contains("\nready\n"));
    tokio::select! {
        done = fleet.bench.run("    container: python:3.12\n    steps:\n      - run: echo ready; sleep 600\n") => {
            panic!("it ended: {}", done.log)
        }
        () = begun => {}
    }
    until("the container is removed", || fleet.containers() == 0).await;
}

#[tokio::test]
async fn a_link_in_the_place_of_the_next_script_is_not_followed() {
    let mut fleet = Fleet::new();
    let victim = fleet.bench.path().join("victim");
    fs::write(&victim, "as it was").unwrap();
    let done = fleet
        .run(&format!(
            r#"
    container: python:3.12
    steps:
      - run: ln -s {} "$(dirname "$GITHUB_OUTPUT")/1.script.sh"
      - run: echo taken over
"#,
            victim.display()
        ))
        .await;
    done.concluded(Conclusion::Failure).not_logged("\ntaken over");
    assert_eq!(fs::read_to_string(victim).unwrap(), "as it was");
}

#[tokio::test]
async fn isolation_is_not_left_by_the_door_of_the_engine() {
    let mut fleet = Fleet::new();
    let root = fleet.bench.path().canonicalize().unwrap();
    match Sandbox::detect(&root, &[]).await {
        Ok(sandbox) => fleet.bench.sandbox = sandbox,
        Err(why) => return eprintln!("not run: {why}"),
    }
    let done =
        fleet.run("    container: { image: a, volumes: ['/:/host'] }\n    steps:\n      - run: ls /host\n").await;
    done.concluded(Conclusion::Failure);
    assert!(done.result.summary.as_ref().unwrap().contains("`/:/host` of this machine"), "{:?}", done.result.summary);
    assert_eq!(fleet.calls(), "", "the engine was not asked");
    let done = fleet.run("    container: a\n    steps:\n      - run: test -n \"$INSIDE\"\n").await;
    done.concluded(Conclusion::Success);
    assert!(fleet.calls().contains(" --cap-drop=MKNOD --security-opt=no-new-privileges "), "{}", fleet.calls());
}

/// Run by hand: `ASSAY_TEST_IMAGE=busybox cargo test --workspace --test it -- containers`.
#[tokio::test]
async fn a_real_engine_does_the_same() {
    let (Ok(image), Some(engine)) = (std::env::var("ASSAY_TEST_IMAGE"), Engine::find()) else {
        return eprintln!("not run: $ASSAY_TEST_IMAGE names no image with sh, stat and chown, or there is no engine");
    };
    let mut bench = Bench::new();
    bench.engine = Some(engine);
    let done = bench
        .run(&format!(
            r#"
    container: {{ image: "{image}", options: --user 1234 }}
    outputs: {{ text: "${{{{ steps.s.outputs.text }}}}" }}
    steps:
      - id: s
        run: |
          grep '^Uid' /proc/self/status; echo "path $PATH"
          echo written > file; echo "text=$(cat file)" >> "$GITHUB_OUTPUT"
      - uses: assay/upload-artifact@v1
        with: {{ name: file, path: file }}
      - run: cat file
"#
        ))
        .await;
    done.concluded(Conclusion::Success).logged("Uid:\t1234").logged("\nwritten");
    assert_eq!(done.result.outputs["text"], "written");
}

#[tokio::test]
async fn what_a_killed_runner_left_is_removed_and_nothing_else() {
    let fleet = Fleet::new();
    let mine = format!("assay-{}-0-1", std::process::id());
    for name in ["assay-4294967295-0-1", "assay-1-0-1", &mine, "postgres"] {
        fs::write(fleet.state.join(name), "").unwrap();
    }
    fleet.bench.engine.as_ref().unwrap().sweep(fleet.bench.path()).await;
    let left = |name: &str| fleet.state.join(name).exists();
    assert!(!left("assay-4294967295-0-1") && !left(&mine), "of processes that are gone");
    assert!(left("assay-1-0-1") && left("postgres"));
    assert!(fleet.calls().contains(&format!("--filter label=assay.work={}", fleet.bench.path().display())));
}
