#!/usr/bin/env python3
"""deploy/Dockerfile without a container engine: its instructions are carried out in fresh Debian roots,
and the result is used as its user would.

    tests/container/test_dockerfile.py [--torch]     as root; needs debootstrap and Debian's archive

Where it is not root, or has no debootstrap, it says so and exits with 77. --torch builds with libtorch too,
which is what the image's default does and takes a download of its own.
"""
import argparse
import fnmatch
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
SKIPPED = 77


def instructions(text):
    """[(keyword, rest)] of a Dockerfile; comments gone, continued lines joined."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [tuple(line.split(None, 1)) for line in joined.splitlines() if line.strip()]


def ignored(name, patterns):
    parts = name.split("/")
    return any(fnmatch.fnmatch("/".join(parts[:n]), pattern)
               for pattern in patterns for n in range(1, len(parts) + 1))


class Stage:
    """One FROM: a root, and the settings that its later instructions see."""

    def __init__(self, root):
        self.root = root
        self.directory = "/"
        self.environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
        self.user = ""
        self.entrypoint, self.command = [], []

    def inside(self, path):
        return self.root / str(pathlib.PurePosixPath(self.directory, path)).lstrip("/")

    def run(self, words, user="", **keys):
        """In the root, with its own view of mounts: nothing of it outlives the command."""
        set_up = ["mount --make-rprivate /", f"mount -t proc proc {self.root}/proc",
                  f"mount --rbind /dev {self.root}/dev"]
        cache = subprocess.run(["ccache", "-k", "cache_dir"], capture_output=True, text=True)
        if cache.returncode == 0 and pathlib.Path(cache.stdout.strip()).is_dir():
            inner = self.root / "root/.cache/ccache"
            inner.mkdir(parents=True, exist_ok=True)
            set_up.append(f"mount --bind {cache.stdout.strip()} {inner}")
        chroot = ["chroot", *([f"--userspec={user}"] if user else []), str(self.root), "env", "-i",
                  *[f"{k}={v}" for k, v in {**passed_on(), **self.environment}.items()],
                  "sh", "-c", f"cd {shlex.quote(self.directory)} && exec \"$@\"", "sh", *words]
        script = " && ".join(set_up) + ' && exec "$@"'
        return subprocess.run(["unshare", "--mount", "--fork", "sh", "-c", script, "sh", *chroot],
                              text=True, **keys)


def passed_on():
    """What a build needs of its surroundings: proxies and indices, never anything else."""
    wanted = re.compile(r"(?i)^(https?_proxy|no_proxy|pip_.*|ssl_cert_file|requests_ca_bundle)$")
    return {k: v for k, v in os.environ.items() if wanted.match(k)} | {"HOME": "/root"}


def fresh_debian(root):
    """A minimal Debian 12 from the archive that this machine uses itself."""
    mirrors = subprocess.run(["apt-get", "indextargets", "--format", "$(REPO_URI)"],
                             capture_output=True, text=True, check=True).stdout.split()
    mirror = next((m for m in mirrors if "security" not in m), "")
    subprocess.run(["debootstrap", "--variant=minbase", "bookworm", str(root), *filter(None, [mirror])],
                   check=True, stdout=subprocess.DEVNULL)
    for name in ("etc/apt/apt.conf.d", "etc/pip.conf", "etc/resolv.conf"):
        source, target = pathlib.Path("/", name), root / name
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        elif source.exists():
            shutil.copy(source, target)
    (root / "etc/apt/apt.conf.d/docker-clean").unlink(missing_ok=True)


def context_files():
    patterns = [line.strip() for line in
                (ROOT / "deploy/Dockerfile.dockerignore").read_text().splitlines()
                if line.strip() and not line.startswith("#")]
    names = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT,
                           capture_output=True, text=True, check=True).stdout.splitlines()
    return [n for n in names if not ignored(n, patterns) and (ROOT / n).is_file()]


def copy(stage, stages, words):
    if words[0].startswith("--from="):
        source = stages[words[0][len("--from="):]].root / words[1].lstrip("/")
        shutil.copytree(source, stage.inside(words[2]), symlinks=True, dirs_exist_ok=True)
        return
    wanted = words[0].rstrip("/")
    found = 0
    for name in context_files():
        if wanted == "." or name == wanted or name.startswith(wanted + "/"):
            inner = name if wanted == "." else name[len(wanted):].lstrip("/")
            target = stage.inside(words[1]) / inner
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target)
            found += 1
    if not found:
        raise AssertionError(f"COPY {' '.join(words)}: nothing in the tree is called so")


def build(text, folder, arguments):
    """Carries the Dockerfile out; the last stage."""
    stages, stage = {}, None
    base = folder / "debian"
    fresh_debian(base)
    for keyword, rest in instructions(text):
        words = shlex.split(re.sub(r"\$(\w+)", lambda m: (stage.environment if stage else {}).get(
            m[1], m[0]), rest)) if keyword != "RUN" else []
        print(f"== {keyword} {rest[:100]}", flush=True)
        if keyword == "FROM":
            if words[0] != "debian:12":
                raise AssertionError(f"FROM {words[0]}: this test knows debian:12")
            root = folder / f"stage-{len(stages)}"
            subprocess.run(["cp", "-a", str(base), str(root)], check=True)
            stage = Stage(root)
            stages[words[2] if len(words) > 2 else f"{len(stages)}"] = stage
        elif keyword == "WORKDIR":
            stage.directory = words[0]
            stage.inside(".").mkdir(parents=True, exist_ok=True)
        elif keyword == "ARG":
            name, _, value = words[0].partition("=")
            stage.environment[name] = arguments.get(name, value)
        elif keyword == "ENV":
            stage.environment.update(word.split("=", 1) for word in words)
        elif keyword == "COPY":
            copy(stage, stages, words)
        elif keyword == "RUN":
            done = stage.run(["sh", "-c", rest], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            if done.returncode != 0:
                raise AssertionError(f"RUN {rest}\nexit code {done.returncode}\n{done.stdout[-4000:]}")
        elif keyword == "USER":
            stage.user = words[0]
        elif keyword == "ENTRYPOINT":
            stage.entrypoint = [w.strip('",[] ') for w in rest.split(",")]
        elif keyword == "CMD":
            stage.command = [w.strip('",[] ') for w in rest.split(",")]
        else:
            raise AssertionError(f"{keyword}: this test does not know it")
    return stage


def use(image):
    """What people do with the image, as its user."""
    image.environment["SCM_HOME"] = "/tmp/scm"

    def run(*words):
        done = image.run([*image.entrypoint, *words], user=image.user, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT)
        print(f"== {' '.join(words)}: {done.returncode}", flush=True)
        if done.returncode != 0:
            raise AssertionError(f"{words}: {done.returncode}\n{done.stdout[-4000:]}")
        return done.stdout

    assert "submit" in run(*image.command)
    for program in ("scm-coordinator", "scm-worker", "scmctl"):
        run(program, "--version")
    # One view of processes and mounts for all three, so that `up` still runs when `status` asks.
    said = run("sh", "-c", "scmctl local up --workers 1 && scmctl workers ls && scmctl local down")
    assert "READY" in said, said


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--torch", action="store_true", help="build with libtorch, as the image does")
    parser.add_argument("--keep", action="store_true", help="leave the roots, and say where")
    flags = parser.parse_args()
    if os.getuid() != 0 or shutil.which("debootstrap") is None:
        print("skipped: this test must be root and needs debootstrap (scripts/setup.sh container)")
        return SKIPPED
    folder = pathlib.Path(tempfile.mkdtemp(prefix="scm-image-"))
    try:
        image = build((ROOT / "deploy/Dockerfile").read_text(), folder,
                      {"SCM_TORCH": "ON" if flags.torch else "OFF"})
        use(image)
    finally:
        if flags.keep:
            print(folder)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    print("1 passed, 0 failed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
