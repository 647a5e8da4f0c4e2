package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// kernel is one of Debian's, by its version and the suite that has it.
type kernel struct {
	name, suite string
	// processors is how many it gets. Kernels before 6.5 wait for the second one in a loop
	// that does not let it run, where both are emulated by one thread.
	processors int
}

var kernels = []kernel{
	{"5.10", "bullseye", 1},
	{"6.1", "bookworm", 1},
	{"6.12", "bookworm-backports", 2},
	{"7.2", "unstable", 2},
}

// metapackage depends on the newest kernel of a suite. Debian drops older ones, so
// that no exact version can be named.
const metapackage = "linux-image-cloud-amd64"

func names() (all []string) {
	for _, k := range kernels {
		all = append(all, k.name)
	}
	return all
}

// choose returns the kernels in a list of names.
func choose(list string) (chosen []kernel, err error) {
	for name := range strings.SplitSeq(list, ",") {
		found := false
		for _, k := range kernels {
			if k.name == name {
				chosen, found = append(chosen, k), true
			}
		}
		if !found {
			return nil, fmt.Errorf("-kernels: %q is none of %s", name, strings.Join(names(), ", "))
		}
	}
	return chosen, nil
}

// fetch returns the kernel's image, from the mirror that this machine's own packages
// come from, or from dir where it was fetched before.
func fetch(ctx context.Context, dir string, k kernel) (image string, err error) {
	dir = filepath.Join(dir, k.suite)
	if image, err := imageIn(dir); err == nil {
		return image, nil
	}
	progress("%s: fetching Debian's kernel from %s", k.name, k.suite)
	a, err := newAPT(ctx, dir, k.suite)
	if err != nil {
		return "", err
	}
	if err := a.run(ctx, "apt-get", "update", "-qq"); err != nil {
		return "", err
	}
	newest, err := a.dependency(ctx, metapackage, "linux-image-")
	if err != nil {
		return "", err
	}
	// In newer releases the image is in a package of its own.
	for _, name := range []string{newest, strings.Replace(newest, "linux-image-", "linux-binary-", 1)} {
		if err := a.extract(ctx, name); err != nil && name == newest {
			return "", err
		}
		if image, err := imageIn(dir); err == nil {
			return image, nil
		}
	}
	return imageIn(dir)
}

// imageIn returns the kernel's image among the files of its package.
func imageIn(dir string) (string, error) {
	for _, pattern := range []string{"boot/vmlinuz-*", "usr/lib/modules/*/vmlinuz"} {
		images, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return "", err
		}
		if len(images) == 1 {
			return images[0], nil
		}
	}
	return "", fmt.Errorf("not one kernel in %s: remove the folder and run this again", dir)
}

// dependency returns the package that another one depends on and whose name begins with prefix.
func (a *apt) dependency(ctx context.Context, of, prefix string) (string, error) {
	out, err := a.output(ctx, "apt-cache", "depends", of)
	if err != nil {
		return "", err
	}
	found := regexp.MustCompile(`Depends: (` + prefix + `\S+)`).FindStringSubmatch(out)
	if found == nil {
		return "", fmt.Errorf("%s depends on no %s: %s", of, prefix, out)
	}
	return found[1], nil
}

// extract fetches a package and unpacks its files.
func (a *apt) extract(ctx context.Context, name string) error {
	if err := a.run(ctx, "apt-get", "download", "-qq", name); err != nil {
		return err
	}
	packages, err := filepath.Glob(filepath.Join(a.dir, name+"_*.deb"))
	if err != nil || len(packages) != 1 {
		return errors.Join(err, fmt.Errorf("%d packages in %s where one was fetched", len(packages), a.dir))
	}
	return a.run(ctx, "dpkg-deb", "--extract", packages[0], a.dir)
}

// apt runs Debian's package tools with a configuration of their own, so that this
// machine's stays as it is.
type apt struct {
	dir     string
	options []string
}

func newAPT(ctx context.Context, dir, suite string) (*apt, error) {
	out, err := exec.CommandContext(ctx, "apt-get", "indextargets", "--format", "$(REPO_URI)", "Label: Debian").Output()
	if err != nil {
		return nil, fmt.Errorf("ask apt for this machine's mirror (apt-get indextargets): %w", err)
	}
	mirror, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	if mirror == "" {
		return nil, errors.New("apt knows no mirror of Debian: run `apt-get update`, or put vmlinuz-* into " + filepath.Join(dir, "boot"))
	}
	for _, sub := range []string{"lists/partial", "cache/archives/partial"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return nil, err
		}
	}
	source := fmt.Sprintf("deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s %s main\n", mirror, suite)
	files := map[string]string{"sources.list": source, "status": ""}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return nil, err
		}
	}
	return &apt{dir: dir, options: []string{
		"Dir::Etc::SourceList=" + filepath.Join(dir, "sources.list"), "Dir::Etc::SourceParts=-",
		"Dir::State::Lists=" + filepath.Join(dir, "lists"), "Dir::State::Status=" + filepath.Join(dir, "status"),
		"Dir::Cache=" + filepath.Join(dir, "cache"), "APT::Architecture=amd64", "APT::Architectures=amd64",
		"Acquire::Languages=none", "APT::Sandbox::User=root",
	}}, nil
}

func (a *apt) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, name, args...)
	if strings.HasPrefix(name, "apt") {
		for _, o := range a.options {
			c.Args = append(c.Args, "-o", o)
		}
	}
	c.Dir = a.dir
	return c
}

func (a *apt) run(ctx context.Context, name string, args ...string) error {
	_, err := a.output(ctx, name, args...)
	return err
}

func (a *apt) output(ctx context.Context, name string, args ...string) (string, error) {
	c := a.command(ctx, name, args...)
	var problems strings.Builder
	c.Stderr = &problems
	out, err := c.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(problems.String()))
	}
	return string(out), nil
}
