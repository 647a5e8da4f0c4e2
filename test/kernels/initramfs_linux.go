package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/seqlink/seqlink/test/kernels/report"
)

// makeInitramfs builds the guest's programs and packs them, with the collector, into
// the archive that a kernel unpacks as its first file system
// (Documentation/filesystems/ramfs-rootfs-initramfs.rst). What the guest's tasks do
// not need is left out.
func makeInitramfs(ctx context.Context, dir, collector string, tasks report.Tasks) (string, error) {
	progress("building what the guests run")
	root := filepath.Join(dir, "root")
	if err := os.MkdirAll(root, 0o755); err != nil {
		return "", err
	}
	files := []string{report.Init}
	builds := [][]string{{"build", "-o", filepath.Join(root, report.Init), "./test/kernels/guest"}}
	if tasks.Has(report.Tracing, report.Testing) {
		files = append(files, report.CaptureTests)
		builds = append(builds,
			[]string{"test", "-c", "-o", filepath.Join(root, report.CaptureTests), "./receiver/ebpfspanreceiver/internal/capture"})
	}
	for _, args := range builds {
		build := exec.CommandContext(ctx, "go", args...)
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			return "", fmt.Errorf("go %v: %w: %s", args, err, out)
		}
	}
	if tasks.Has(report.Tracing) {
		files = append(files, report.Collector)
		if err := copyFile(filepath.Join(root, report.Collector), collector); err != nil {
			return "", err
		}
	}
	return pack(ctx, dir, files...)
}

func copyFile(to, from string) error {
	source, err := os.Open(from)
	if err != nil {
		return fmt.Errorf("the collector is not there: run `make build`: %w", err)
	}
	defer source.Close()
	target, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	if _, err := io.Copy(target, source); err != nil {
		_ = target.Close()
		return err
	}
	return target.Close()
}

// pack archives files of dir/root in the format that kernels want. It does not compress:
// an emulated processor unpacks slowly.
func pack(ctx context.Context, dir string, files ...string) (string, error) {
	archive := filepath.Join(dir, "initramfs.cpio")
	out, err := os.Create(archive)
	if err != nil {
		return "", err
	}
	defer out.Close()
	c := exec.CommandContext(ctx, "cpio", "--create", "--format=newc", "--quiet")
	c.Dir, c.Stdout, c.Stderr = filepath.Join(dir, "root"), out, os.Stderr
	in, err := c.StdinPipe()
	if err != nil {
		return "", err
	}
	if err := c.Start(); err != nil {
		return "", err
	}
	for _, file := range files {
		_, _ = fmt.Fprintln(in, file) // cpio tells where it cannot read
	}
	_ = in.Close()
	if err := c.Wait(); err != nil {
		return "", fmt.Errorf("cpio: %w", err)
	}
	return archive, out.Close()
}
