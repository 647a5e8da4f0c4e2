package run

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/template"
)

// Hop is one service of a chain.
type Hop struct {
	// Service is what SEQLINK_SERVICE is set to.
	Service string
	// Env is added to the service's environment.
	Env []string
	// Command returns the program and its arguments. It gets a folder of the
	// service's own, the address to listen on, and that of the next service or "".
	// Several addresses are separated by commas.
	Command func(dir, listen, next string) (path string, args []string, err error)
	// Addresses is at how many it listens; 0 is one.
	Addresses int
	// Forks says that children do the work of the process that is started.
	Forks bool
}

// Examples knows where the example services are.
type Examples struct {
	// Dir is the repository's folder examples.
	Dir string
	// Orders is the compiled program go-orders.
	Orders string
}

// BuildExamples compiles those services that must be, into dir.
func BuildExamples(ctx context.Context, examples, dir string) (Examples, error) {
	examples, err := filepath.Abs(examples)
	if err != nil {
		return Examples{}, fmt.Errorf("find the examples: %w", err)
	}
	e := Examples{Dir: examples, Orders: filepath.Join(dir, "go-orders")}
	return e, BuildGo(ctx, filepath.Join(examples, "go-orders"), e.Orders)
}

// BuildGo compiles the Go program in a folder of this module to the file output.
func BuildGo(ctx context.Context, dir, output string) error {
	build := exec.CommandContext(ctx, "go", "build", "-o", output, ".")
	build.Dir = dir
	if messages, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", dir, err, messages)
	}
	return nil
}

// FindTool returns the path of an installed program. Where it is missing the error
// says what cures that.
func FindTool(name string) (string, error) {
	for _, dir := range []string{"", "/usr/local/sbin", "/usr/sbin"} {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s is not installed: install it (`make test` and `make demo` do on Debian) or put it into PATH", name)
}

// Nginx is the front: a reverse proxy with one worker.
func (e Examples) Nginx() Hop {
	return Hop{Service: "nginx", Forks: true, Command: func(dir, listen, next string) (string, []string, error) {
		path, err := FindTool("nginx")
		if err != nil {
			return "", nil, err
		}
		config := filepath.Join(dir, "nginx.conf")
		source := filepath.Join(e.Dir, "nginx", "nginx.conf.template")
		if err := WriteTemplate(source, config, map[string]string{"Dir": dir, "Listen": listen, "Next": next}); err != nil {
			return "", nil, err
		}
		return path, NginxArguments(dir, config), nil
	}}
}

// NginxArguments are those of an nginx that keeps all files in dir.
func NginxArguments(dir, config string) []string {
	return []string{"-p", dir, "-c", config, "-e", filepath.Join(dir, "error.log")}
}

// WriteTemplate executes the template in the file source with data, to the file path.
func WriteTemplate(source, path string, data any) error {
	text, err := template.ParseFiles(source)
	if err != nil {
		return fmt.Errorf("read a configuration: %w", err)
	}
	file, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("write a configuration: %w", err)
	}
	err = text.Execute(file, data)
	return errors.Join(err, file.Close())
}

// Go is a net/http server that calls through an http.Client.
func (e Examples) Go() Hop {
	return Hop{Service: "orders", Command: func(_, listen, next string) (string, []string, error) {
		return e.Orders, []string{"-listen", listen, "-next", next}, nil
	}}
}

// Python has a thread for each connection.
func (e Examples) Python() Hop {
	return PythonHop("inventory", filepath.Join(e.Dir, "python-inventory", "inventory.py"))
}

// PythonHop is a service written in Python that takes --listen and --next.
func PythonHop(service, script string) Hop {
	return Hop{Service: service, Command: func(_, listen, next string) (string, []string, error) {
		path, err := FindTool("python3")
		return path, []string{script, "--listen", listen, "--next", next}, err
	}}
}

// Node is an event loop. With another hop after it, it calls that.
func (e Examples) Node(env ...string) Hop {
	return Hop{Service: "prices", Env: env, Command: func(_, listen, next string) (string, []string, error) {
		path, err := FindTool("node")
		return path, []string{filepath.Join(e.Dir, "node-prices", "prices.js")}, err
	}}
}

// Chain is a row of running services, each of which calls the next.
type Chain struct {
	// Services are their names, from the front to the last.
	Services []string
	// Address is that of the front.
	Address string
	// URL is where a request goes in, without its id.
	URL string

	processes []*Process
}

// StartChain starts services, the last one first, and waits until they listen. Each
// has the variable marker in its environment, and a folder of its own in dir.
func StartChain(ctx context.Context, dir, marker string, hops ...Hop) (*Chain, error) {
	addresses, err := hopAddresses(hops)
	if err != nil {
		return nil, err
	}
	chain := &Chain{Address: addresses[0], URL: "http://" + addresses[0] + "/orders/"}
	for i, hop := range slices.Backward(hops) {
		var next string
		if i+1 < len(hops) {
			next = addresses[i+1]
		}
		if err := chain.start(ctx, dir, marker, hop, addresses[i], next); err != nil {
			return nil, errors.Join(err, chain.Stop())
		}
	}
	return chain, nil
}

// hopAddresses returns where each hop listens, separated by commas.
func hopAddresses(hops []Hop) ([]string, error) {
	count := 0
	for _, hop := range hops {
		count += max(1, hop.Addresses)
	}
	free, err := FreeAddresses(count)
	if err != nil {
		return nil, err
	}
	var addresses []string
	for _, hop := range hops {
		n := max(1, hop.Addresses)
		addresses = append(addresses, strings.Join(free[:n], ","))
		free = free[n:]
	}
	return addresses, nil
}

func (c *Chain) start(ctx context.Context, dir, marker string, hop Hop, listen, next string) error {
	own := filepath.Join(dir, hop.Service)
	if err := os.MkdirAll(own, 0o755); err != nil {
		return fmt.Errorf("start %s: %w", hop.Service, err)
	}
	path, args, err := hop.Command(own, listen, next)
	if err != nil {
		return err
	}
	env := append([]string{marker + "=1", "SEQLINK_SERVICE=" + hop.Service, "LISTEN=" + listen, "NEXT=" + next}, hop.Env...)
	process, err := Command{Name: hop.Service, Path: path, Args: args, Env: env, Dir: own}.Start()
	if err != nil {
		return err
	}
	c.Services = slices.Insert(c.Services, 0, hop.Service)
	c.processes = slices.Insert(c.processes, 0, process)
	for address := range strings.SplitSeq(listen, ",") {
		if err := waitFor(ctx, process, listening(address)); err != nil {
			return err
		}
	}
	if !hop.Forks {
		return nil
	}
	return waitFor(ctx, process, forked(process.PID()))
}

// PIDs returns the ids of the services' processes and of all that they started. A program
// that overwrote its environment to show a title, as nginx does, can only be
// selected by them once it runs.
func (c *Chain) PIDs() []int {
	pids := []int{}
	for _, p := range c.processes {
		pids = append(pids, p.PID())
		pids = append(pids, descendants(p.PID())...)
	}
	return pids
}

func descendants(pid int) []int {
	var all []int
	for _, child := range children(pid) {
		all = append(append(all, child), descendants(child)...)
	}
	return all
}

func children(pid int) []int {
	path := filepath.Join("/proc", strconv.Itoa(pid), "task", strconv.Itoa(pid), "children")
	text, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	var pids []int
	for field := range strings.FieldsSeq(string(text)) {
		if child, err := strconv.Atoi(field); err == nil {
			pids = append(pids, child)
		}
	}
	return pids
}

// Ended returns an error if one of the services has ended.
func (c *Chain) Ended() error {
	for _, p := range c.processes {
		select {
		case <-p.Ended():
			return p.failure("ended early")
		default:
		}
	}
	return nil
}

// Stop ends the services, the front first.
func (c *Chain) Stop() error {
	var errs []error
	for _, p := range c.processes {
		errs = append(errs, p.Stop())
	}
	c.processes = nil
	return errors.Join(errs...)
}
