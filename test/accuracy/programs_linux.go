package main

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
	"sync"

	"github.com/seqlink/seqlink/examples/run"
)

// renamed is an nginx under another name.
const renamed = "frontd"

// leaf is the program and service that answers all calls.
const leaf = "leaf"

// Programs that take its place.
const (
	// databases are a Redis and a PostgreSQL server, at an address each.
	databases = "databases"
	// mariadb is a MariaDB server.
	mariadb = "mariadb"
)

// programs knows how to start the programs that are traced.
type programs struct {
	// sources is their folder, built takes what is compiled.
	sources, built string
	mutex          sync.Mutex
}

// hops returns the services of a workload, ready to start.
func (p *programs) hops(w *workload, reuse bool) []run.Hop {
	var hops []run.Hop
	last, addresses := step{program: leaf, env: []string{"DELAY=10ms"}}, w.callees
	switch w.databases {
	case databases:
		last, addresses = step{program: databases}, 2
	case mariadb:
		last, addresses = step{program: mariadb}, 1
	}
	for _, s := range append(slices.Clone(w.steps), last) {
		hop := run.Hop{Service: s.name(), Forks: forks[s.program]}
		hop.Env = append(slices.Clone(s.env), "SHAPE="+s.shape, "REUSE="+onOff(reuse), "PYTHONDONTWRITEBYTECODE=1")
		hop.Command = func(dir, listen, next string) (string, []string, error) {
			return p.command(s.program, place{dir, listen, next, s.shape, reuse})
		}
		hops = append(hops, hop)
	}
	hops[len(hops)-1].Addresses = addresses
	return hops
}

// forks are the programs whose children do the work.
var forks = map[string]bool{"nginx": true, renamed: true, "gunicorn": true, "apache": true}

// place is where a program runs. Those that take it from the environment have it there as
// well (LISTEN, NEXT, SHAPE, REUSE).
type place struct {
	// Dir takes the program's files.
	Dir, Listen, Next, Shape string
	Reuse                    bool
}

// command returns what runs a program.
func (p *programs) command(program string, at place) (path string, args []string, err error) {
	switch program {
	case "node":
		path, err = run.FindTool("node")
		args = []string{p.source("node", "service.js")}
	case "python", "asyncio":
		path, args = debianPython, []string{p.source(program, "service.py")}
	case "nodedb", "nodegrpc", "nodemysql":
		return p.nodePackages(program)
	case "asynciodb", "pythongrpc":
		path, args = debianPython, []string{p.source(program, "service.py")}
	case databases, mariadb:
		path, args = debianPython, []string{p.source(program, program+".py")}
	case "gunicorn":
		path, err = run.FindTool("gunicorn")
		args = []string{
			"--workers", "16", "--backlog", "1024", "--graceful-timeout", "1", "--bind", at.Listen,
			"--chdir", p.source(program), "service:application",
		}
	case "puma":
		path, err = run.FindTool("puma")
		args = []string{"--environment", "production", "--threads", "16:16", "--bind", "tcp://" + at.Listen, p.source(program, "config.ru")}
	case "nginx", renamed:
		path, err = run.FindTool("nginx")
		config := filepath.Join(at.Dir, "nginx.conf")
		err = errors.Join(err, run.WriteTemplate(p.source("nginx", "nginx.conf.template"), config, at))
		args = run.NginxArguments(at.Dir, config)
		if program == renamed {
			path, err = p.rename(path, at.Dir)
		}
	case "haproxy":
		path, err = run.FindTool("haproxy")
		config := filepath.Join(at.Dir, "haproxy.cfg")
		err = errors.Join(err, run.WriteTemplate(p.source(program, "haproxy.cfg.template"), config, at))
		args = []string{"-db", "-f", config}
	case "apache":
		path, err = run.FindTool("apache2")
		config := filepath.Join(at.Dir, "apache.conf")
		err = errors.Join(err, run.WriteTemplate(p.source(program, "apache.conf.template"), config, at), p.copyPage(at.Dir))
		args = []string{"-DFOREGROUND", "-f", config}
	case "java", "tomcat", "netty":
		return p.java(program, at.Reuse)
	default:
		path, err = p.compiled(program)
	}
	return path, args, err
}

// debianPython is the interpreter that Debian's packages for Python are for.
const debianPython = "/usr/bin/python3"

func (p *programs) source(names ...string) string {
	return filepath.Join(append([]string{p.sources}, names...)...)
}

// rename returns a copy of an executable under another name.
func (p *programs) rename(path, dir string) (string, error) {
	program, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	path = filepath.Join(dir, renamed)
	return path, os.WriteFile(path, program, 0o755)
}

// copyPage copies Apache's page to where its user may read it.
func (p *programs) copyPage(dir string) error {
	const name = "service.php"
	text, err := os.ReadFile(p.source("apache", name))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, name), text, 0o644)
}

// nodePackages returns what runs a Node.js program that has packages.
func (p *programs) nodePackages(program string) (path string, args []string, err error) {
	path, err = run.FindTool("node")
	script, installed := p.packages(program)
	return path, []string{script}, errors.Join(err, installed)
}

// packages returns the script of a Node.js program in a folder that has its packages.
func (p *programs) packages(program string) (string, error) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	dir := filepath.Join(p.built, program)
	script := filepath.Join(dir, "service.js")
	if exists(script) {
		return script, nil
	}
	if err := os.CopyFS(dir, os.DirFS(p.source(program))); err != nil {
		return "", err
	}
	npm, err := run.FindTool("npm")
	if err != nil {
		return "", err
	}
	install := exec.Command(npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts")
	install.Dir = dir
	if messages, err := install.CombinedOutput(); err != nil {
		return "", errors.Join(fmt.Errorf("install the packages of %s: %w\n%s", program, err, messages), os.RemoveAll(dir))
	}
	return script, nil
}

// compiled returns the executable of a Go program.
func (p *programs) compiled(program string) (string, error) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	path := filepath.Join(p.built, program)
	if exists(path) {
		return path, nil
	}
	return path, run.BuildGo(context.Background(), p.source(program), path)
}

// javaLibraries are where Debian's packages libtomcat10-embed-java,
// libjakarta-annotation-api-java and libnetty-java put them.
var javaLibraries = "/usr/share/java/" + strings.Join([]string{
	"tomcat10-embed-core.jar", "jakarta-annotation-api.jar", "netty-common.jar", "netty-buffer.jar", "netty-resolver.jar",
	"netty-transport.jar", "netty-codec.jar", "netty-codec-http.jar", "netty-handler.jar",
}, ":/usr/share/java/")

// java runs a Java program with as many kept connections as it has threads, and with none
// closed under a request.
func (p *programs) java(program string, reuse bool) (path string, args []string, err error) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	classes := filepath.Join(p.built, program)
	if !exists(classes) {
		javac := exec.Command("javac", "-nowarn", "-Xmaxerrs", "3", "-cp", javaLibraries, "-d", classes, p.source(program, "Service.java"))
		if messages, err := javac.CombinedOutput(); err != nil {
			return "", nil, fmt.Errorf("compile %s: %w\n%s", program, err, messages)
		}
	}
	path, err = run.FindTool("java")
	return path, []string{
		"-XX:+UseSerialGC", "-Xmx256m", "-Dhttp.keepAlive=" + strconv.FormatBool(reuse), "-Dhttp.maxConnections=256",
		"-Dsun.net.httpserver.maxIdleConnections=1024", "-Dsun.net.httpserver.idleInterval=600", "-Dsun.net.httpserver.nodelay=true",
		"-cp", javaLibraries + ":" + classes, "Service",
	}, err
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}
