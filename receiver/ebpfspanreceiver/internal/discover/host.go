package discover

import (
	"fmt"
	"os"
	"strings"
)

// Host names the machine as host.name and host.id of the semantic conventions do.
type Host struct {
	Name string
	// ID is machine-id(5), empty where there is none.
	ID string
}

// ReadHost reads how the host is called. In a container with the host's processes its
// id is that of the host, for it is read where process 1 has it; its name is that of
// the collector's own UTS namespace.
func (p Proc) ReadHost() (Host, error) {
	name, err := os.Hostname()
	if err != nil {
		return Host{}, fmt.Errorf("read the host's name: %w", err)
	}
	return Host{Name: name, ID: p.machineID()}, nil
}

func (p Proc) machineID() string {
	for _, root := range []string{p.Path(1, "root"), "/"} {
		for _, file := range []string{"etc/machine-id", "var/lib/dbus/machine-id"} {
			if id := readMachineID(root, file); id != "" {
				return id
			}
		}
	}
	return ""
}

func readMachineID(root, file string) string {
	folder, err := os.OpenRoot(root)
	if err != nil {
		return "" // without the privilege
	}
	defer folder.Close()
	text, err := folder.ReadFile(file)
	if id := strings.TrimSpace(string(text)); err == nil && isMachineID(id) {
		return id
	}
	return ""
}

// isMachineID refuses "uninitialized", which stands there while the machine first boots.
func isMachineID(s string) bool {
	const digits = 32
	return len(s) == digits && strings.Trim(s, "0123456789abcdef") == ""
}
