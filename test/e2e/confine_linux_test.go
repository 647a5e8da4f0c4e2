package e2e

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// confineVariable makes this test binary confine itself to the capabilities that it
// lists, by their numbers, and become the program in its arguments.
const confineVariable = "SEQLINK_E2E_CAPABILITIES"

// nobody is the user that owns nothing.
const nobody = 65534

// confine becomes another program, which runs as nobody with no more than the listed
// capabilities, cannot gain any (no_new_privs), and finds every file system read-only
// and no tracefs. It returns only where that is not possible.
func confine(command []string) error {
	// What follows is a matter of this thread until it becomes the other program.
	runtime.LockOSThread()
	var set uint64
	for text := range strings.SplitSeq(os.Getenv(confineVariable), ",") {
		number, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("%s: %w", confineVariable, err)
		}
		set |= 1 << number
	}
	if err := readOnly(); err != nil {
		return err
	}
	if err := dropPrivileges(set); err != nil {
		return err
	}
	return syscall.Exec(command[0], command, os.Environ())
}

// readOnly makes all mounts read-only, in a mount namespace of their own.
func readOnly() error {
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("unshare: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	for _, tracefs := range []string{"/sys/kernel/tracing", "/sys/kernel/debug"} {
		if err := unix.Unmount(tracefs, unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("unmount %s: %w", tracefs, err)
		}
	}
	all := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}
	if err := unix.MountSetattr(unix.AT_FDCWD, "/", unix.AT_RECURSIVE, &all); err != nil {
		return fmt.Errorf("make mounts read-only: %w", err)
	}
	if _, err := os.Create("writable"); !errors.Is(err, unix.EROFS) {
		return fmt.Errorf("the file system is not read-only: %w", err)
	}
	return nil
}

// dropPrivileges makes the calling thread nobody's.
func dropPrivileges(set uint64) error {
	for number := uintptr(0); number <= unix.CAP_LAST_CAP; number++ {
		if set&(1<<number) == 0 {
			if err := unix.Prctl(unix.PR_CAPBSET_DROP, number, 0, 0, 0); err != nil && !errors.Is(err, unix.EINVAL) {
				return fmt.Errorf("drop capability %d: %w", number, err)
			}
		}
	}
	if err := unix.Prctl(unix.PR_SET_KEEPCAPS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("keep capabilities: %w", err)
	}
	// The system calls themselves: Go's functions change all threads, and so lose the
	// others' capabilities.
	for name, call := range map[string][4]uintptr{
		"setgroups": {unix.SYS_SETGROUPS}, "setresgid": {unix.SYS_SETRESGID, nobody, nobody, nobody},
	} {
		if _, _, errno := unix.RawSyscall(call[0], call[1], call[2], call[3]); errno != 0 {
			return fmt.Errorf("%s: %w", name, errno)
		}
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, nobody, nobody, nobody); errno != 0 {
		return fmt.Errorf("setresuid: %w", errno)
	}
	low, high := uint32(set), uint32(set>>32)
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	data := [2]unix.CapUserData{
		{Effective: low, Permitted: low, Inheritable: low}, {Effective: high, Permitted: high, Inheritable: high},
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&data)), 0); errno != 0 {
		return fmt.Errorf("capset: %w", errno)
	}
	for number := uintptr(0); number <= unix.CAP_LAST_CAP; number++ {
		if set&(1<<number) != 0 {
			if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_RAISE, number, 0, 0); err != nil {
				return fmt.Errorf("raise capability %d: %w", number, err)
			}
		}
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("no_new_privs: %w", err)
	}
	return nil
}
