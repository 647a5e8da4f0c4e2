package identity

import (
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// namespace is a network namespace of the test's own. A process keeps it alive, which
// ends with the test: nothing is left behind, not even by a test that is killed.
type namespace struct {
	t      *testing.T
	keeper *exec.Cmd
}

func newNamespace(t *testing.T) *namespace {
	t.Helper()
	keeper := exec.Command("cat")
	keeper.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	in, err := keeper.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, keeper.Start())
	t.Cleanup(func() {
		_ = in.Close()
		_ = keeper.Wait()
	})
	n := &namespace{t, keeper}
	n.run("ip", "link", "set", "lo", "up")
	return n
}

func (n *namespace) pid() string { return strconv.Itoa(n.keeper.Process.Pid) }

// enter returns the command that runs another one in the namespace.
func (n *namespace) enter() []string {
	if n == nil {
		return nil
	}
	return []string{"nsenter", "--net=/proc/" + n.pid() + "/ns/net"}
}

func (n *namespace) run(command ...string) { n.feed("", command...) }

func (n *namespace) feed(input string, command ...string) {
	n.t.Helper()
	command = append(n.enter(), command...)
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdin = strings.NewReader(input)
	output, err := cmd.CombinedOutput()
	require.NoError(n.t, err, "%v: %s", command, output)
}

// sysctl sets a variable under /proc/sys/net.
func (n *namespace) sysctl(name string, value any) {
	n.t.Helper()
	n.run("sh", "-c", fmt.Sprintf("echo %v > /proc/sys/net/%s", value, name))
}

// nft loads a rule set.
func (n *namespace) nft(rules string) {
	n.t.Helper()
	n.feed(rules, "nft", "-f", "-")
}

// Addresses in a network. The router has .1 and ::1 in each.
const (
	clientV4, clientV6       = "10.77.1.2", "fd77:1::2"
	serverV4, serverV6       = "10.77.2.2", "fd77:2::2"
	routerToClient           = "10.77.1.1"
	routerToServer           = "10.77.2.1"
	serverPort               = "8080"
	serverAnyV4, serverAnyV6 = "0.0.0.0:" + serverPort, "[::]:" + serverPort
)

// network is a client's and a server's namespace with a router's between them.
type network struct{ client, router, server *namespace }

func newNetwork(t *testing.T) *network {
	t.Helper()
	n := &network{newNamespace(t), newNamespace(t), newNamespace(t)}
	n.link(n.client, "1")
	n.link(n.server, "2")
	n.router.sysctl("ipv4/ip_forward", 1)
	n.router.sysctl("ipv6/conf/all/forwarding", 1)
	return n
}

// link joins the router with another namespace by the networks 10.77.N.0/24 and fd77:N::/64.
func (n *network) link(to *namespace, number string) {
	n.router.run("ip", "link", "add", "to"+number, "type", "veth", "peer", "name", "uplink", "netns", to.pid())
	for at, device := range map[*namespace]string{n.router: "to" + number, to: "uplink"} {
		host := "1"
		if at == to {
			host = "2"
		}
		at.run("ip", "address", "add", "10.77."+number+"."+host+"/24", "dev", device)
		at.run("ip", "address", "add", "fd77:"+number+"::"+host+"/64", "dev", device, "nodad")
		at.run("ip", "link", "set", device, "up")
	}
	to.run("ip", "route", "add", "default", "via", "10.77."+number+".1")
	to.run("ip", "-6", "route", "add", "default", "via", "fd77:"+number+"::1")
}
