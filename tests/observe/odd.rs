//! Programs that do odd things do them as before, and are seen.
use crate::harness::{Place, names};
use cachepot_engine::observed::Distrust;

/// Compiles a program and runs it with the observer.
fn program(name: &str, text: &str) -> (Place, crate::harness::Went) {
    let place = Place::new(name).file("a.c", text).file("seen.txt", "seen\n").run(&[
        "gcc",
        "-D_GNU_SOURCE",
        "-Wno-all",
        "-pthread",
        "a.c",
        "-o",
        "a",
    ]);
    let went = place.observe(&["./a"]);
    assert!(went.output.status.success(), "{:?}", went.output);
    (place, went)
}

#[test]
fn errors_and_descriptors_are_as_before() {
    let text = r#"
        #include <errno.h>
        #include <fcntl.h>
        #include <stdio.h>
        #include <stdlib.h>
        #include <sys/stat.h>
        #include <unistd.h>
        int main(void) {
            struct stat s;
            if (open("seen.txt", O_RDONLY) != 3) return 1;
            errno = 77;
            if (stat("seen.txt", &s) || errno != 77) return 2;
            if (open("gone", O_RDONLY) != -1 || errno != ENOENT) return 3;
            if (stat((char *)8, &s) != -1 || errno != EFAULT) return 4;
            if (open((char *)8, O_RDONLY) != -1 || errno != EFAULT) return 5;
            if (fopen("gone", "r") || errno != ENOENT) return 6;
            errno = 77;
            if (!getenv("VALUE") || errno != 77) return 7;
            if (fstatat(3, "", &s, AT_EMPTY_PATH) || stat("", &s) != -1) return 8;
            if (open("made", O_CREAT | O_RDWR, 0640) != 4 || stat("made", &s) || (s.st_mode & 0777 & ~0640)) return 9;
            if (execl("/nowhere", "a", "b", "c", "d", "e", "f", "g", NULL) != -1 || errno != ENOENT) return 10;
            return 0;
        }"#;
    let (place, went) = program("errors", text);
    // `execl` has no way to say that it failed.
    assert_eq!(went.read(), Err(Distrust::Silent(b"/nowhere".to_vec())));
    let without = text.replace("if (execl", "if (0 && execl");
    let (_, went) = program("errors", &without);
    let facts = went.read().unwrap();
    assert!(names(&facts.read, "seen.txt") && names(&facts.absent, "gone"));
    assert!(names(facts.written.keys(), "made"));
    drop(place);
}

#[test]
fn the_log_survives_closed_descriptors_forks_and_threads() {
    let text = r#"
        #include <dirent.h>
        #include <fcntl.h>
        #include <pthread.h>
        #include <stdio.h>
        #include <stdlib.h>
        #include <sys/wait.h>
        #include <unistd.h>
        static void *many(void *n) {
            char name[64];
            for (int i = 0; i < 500; i++) {
                snprintf(name, sizeof name, "thread-%ld-%d", (long)n, i);
                access(name, F_OK);
            }
            return 0;
        }
        int main(void) {
            pthread_t threads[4];
            for (long n = 0; n < 4; n++) pthread_create(&threads[n], 0, many, (void *)n);
            for (long n = 0; n < 4; n++) pthread_join(threads[n], 0);
            for (int fd = 3; fd < 1024; fd++) close(fd);
            for (int fd = 3; fd < 1024; fd++) open("/dev/zero", O_RDWR);
            access("after-close", F_OK);
            for (int fd = 3; fd < 1024; fd++) close(fd);
            if (!fork()) { chdir("/"); access("in-root", F_OK); _exit(0); }
            wait(0);
            if (!vfork()) { execl("/bin/cat", "cat", "seen.txt", (char *)0); _exit(1); }
            wait(0);
            return system("true") || pclose(popen("true", "r"));
        }"#;
    let (place, went) = program("closed", text);
    assert_eq!(went.text(), "seen\n");
    let facts = went.read().unwrap();
    assert_eq!(facts.absent.iter().filter(|path| path.starts_with(&place.path("thread-"))).count(), 2000);
    assert!(facts.absent.contains(&place.path("after-close")));
    assert!(facts.absent.contains(&b"/in-root"[..]));
    assert!(facts.read.contains(&place.path("seen.txt")));
    assert!(facts.programs.contains(&b"/bin/sh"[..]));
}

#[test]
fn scripts_and_shells_are_followed() {
    let place = Place::new("script")
        .file("seen.txt", "seen\n")
        .file("tool", "#!/bin/sh\nexec cat seen.txt\n")
        .run(&["chmod", "+x", "tool"]);
    let went =
        place.observe(&["sh", "-c", "./tool; test -e gone; cat < seen.txt > copy; cd /; cat /etc/hostname"]);
    let facts = went.read().unwrap();
    for name in ["seen.txt", "tool"] {
        assert!(
            facts.read.contains(&place.path(name)) || facts.programs.contains(&place.path(name)),
            "{name}"
        );
    }
    assert!(facts.absent.contains(&place.path("gone")));
    assert!(facts.written.contains_key(&place.path("copy")));
    assert!(facts.read.contains(&b"/etc/hostname"[..]));
}

#[test]
fn what_cannot_be_followed_is_named() {
    let rows = [
        ("#include <glob.h>\nint main(void) { glob_t g; glob(\"*\", 0, 0, &g); return 0; }", "glob"),
        (
            "#include <sys/syscall.h>\n#include <unistd.h>\nint main(void) { syscall(SYS_mkdirat, -100, \"d\", 0); return 0; }",
            "syscall",
        ),
    ];
    for (text, name) in rows {
        let (_, went) = program("opaque", text);
        assert_eq!(went.read(), Err(Distrust::Opaque(name.as_bytes().to_vec())));
    }
}

/// With another library in between, which has the hash section of old: what the loader finds by it must be found.
#[test]
fn other_preloaded_libraries_are_not_left_out() {
    let place = Place::new("between")
        .file("lib.c", "char *getenv(const char *name) { return name[0] == 'V' ? \"between\" : 0; }")
        .file("a.c", "#include <stdio.h>\n#include <stdlib.h>\nint main(void) { puts(getenv(\"VALUE\")); }")
        .run(&["gcc", "-shared", "-fPIC", "-Wl,--hash-style=sysv", "lib.c", "-o", "lib.so"])
        .run(&["gcc", "a.c", "-o", "a"]);
    let went = place.observe_with(&["./a"], &[&place.work().join("lib.so")]);
    assert_eq!(went.text(), "between\n");
    let facts = went.read().unwrap();
    assert!(facts.variables.contains(&b"VALUE"[..]));
    assert!(names(&facts.libraries, "lib.so") && !names(&facts.libraries, "observer.so"));
}

#[test]
fn a_log_without_room_is_marked() {
    let place = Place::new("full").room(300);
    let went = place.observe(&["sh", "-c", "test -e a-name"]);
    assert_eq!(went.read(), Err(Distrust::Incomplete));
}

/// glibc has several of these functions, and tells which one is meant when it is asked.
#[test]
fn the_time_is_the_time() {
    let text = r#"
        #include <sys/time.h>
        #include <time.h>
        int main(void) {
            struct timespec t;
            struct timeval v = {0, 0};
            if (clock_gettime(CLOCK_REALTIME, &t)) return 1;
            time_t now = time(0), also;
            if (now < t.tv_sec - 2 || now > t.tv_sec + 2 || time(&also) < now || also < now) return 2;
            if (gettimeofday(&v, 0) || v.tv_sec < now || v.tv_sec > now + 2) return 3;
            return 0;
        }"#;
    let (_, went) = program("time", text);
    assert_eq!(went.read(), Err(Distrust::Clock));
}

/// Permissions and times of what was there are as good as its content.
#[test]
fn changes_that_leave_the_content_are_seen() {
    let calls = [
        "chmod(\"seen.txt\", 0600)",
        "fchmod(open(\"seen.txt\", 0), 0600)",
        "fchmodat(AT_FDCWD, \"seen.txt\", 0600, 0)",
        "chown(\"seen.txt\", -1, -1)",
        "utime(\"seen.txt\", 0)",
        "utimensat(AT_FDCWD, \"seen.txt\", 0, 0)",
        "futimens(open(\"seen.txt\", 0), 0)",
    ];
    for (at, call) in calls.into_iter().enumerate() {
        let text = format!(
            "#include <fcntl.h>\n#include <sys/stat.h>\n#include <unistd.h>\n#include <utime.h>\nint main(void) {{ return {call}; }}"
        );
        let (place, went) = program(&format!("changes{at}"), &text);
        let written = went.read().unwrap().written;
        assert!(written.contains_key(&place.path("seen.txt")), "{call}: {written:?}");
    }
}
