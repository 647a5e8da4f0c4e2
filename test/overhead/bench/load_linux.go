package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// answers is what a load saw.
type answers struct {
	requests, perSecond float64
	p50, p99            time.Duration
}

// load sends requests over kept connections for some time, as fast as the server answers.
// rate is what the server did before: redis-benchmark counts requests, not time.
func (s *server) load(ctx context.Context, d time.Duration, connections int, rate float64) (answers, error) {
	if s.name == "redis" {
		return s.redisBenchmark(ctx, connections, int(max(rate*d.Seconds(), 10_000)))
	}
	out, err := s.runLoad(exec.CommandContext(ctx, "wrk", "-t1", fmt.Sprintf("-c%d", connections),
		fmt.Sprintf("-d%.0fs", max(1, d.Seconds())), "--latency", "http://"+s.address+"/"))
	if err != nil {
		return answers{}, err
	}
	return parseWrk(out)
}

// runLoad runs a load and returns what it printed.
func (s *server) runLoad(cmd *exec.Cmd) (string, error) {
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	err := s.startCommand(cmd, loadCPU)
	if err == nil {
		err = cmd.Wait()
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s%s", filepath.Base(cmd.Path), err, out.String(), complaints.String())
	}
	return out.String(), nil
}

var (
	wrkRequests = regexp.MustCompile(`(\d+) requests in ([\d.]+\w+),`)
	wrkQuantile = regexp.MustCompile(`(?m)^\s+(50|99)%\s+([\d.]+\w+)$`)
	wrkErrors   = regexp.MustCompile(`Socket errors:.*|Non-2xx.*`)
)

// parseWrk reads the report of `wrk --latency`.
func parseWrk(text string) (a answers, err error) {
	if complaint := wrkErrors.FindString(text); complaint != "" {
		return a, fmt.Errorf("wrk: %s", complaint)
	}
	counted := wrkRequests.FindStringSubmatch(text)
	if counted == nil {
		return a, fmt.Errorf("wrk printed no count: %s", text)
	}
	a.requests, _ = strconv.ParseFloat(counted[1], 64)
	took, err := time.ParseDuration(counted[2])
	if err != nil {
		return a, err
	}
	a.perSecond = a.requests / took.Seconds()
	for _, q := range wrkQuantile.FindAllStringSubmatch(text, -1) {
		d, err := time.ParseDuration(q[2])
		if err != nil {
			return a, err
		}
		if q[1] == "50" {
			a.p50 = d
		} else {
			a.p99 = d
		}
	}
	return a, nil
}

func (s *server) redisBenchmark(ctx context.Context, connections, requests int) (answers, error) {
	_, port, err := net.SplitHostPort(s.address)
	if err != nil {
		return answers{}, err
	}
	out, err := s.runLoad(exec.CommandContext(ctx, "redis-benchmark", "-p", port, "-t", "get", "-c", strconv.Itoa(connections),
		"-n", strconv.Itoa(requests), "--csv"))
	if err != nil {
		return answers{}, err
	}
	a, err := parseRedisBenchmark(out)
	a.requests = float64(requests)
	return a, err
}

// parseRedisBenchmark reads rate and latencies from the report of `redis-benchmark --csv`.
func parseRedisBenchmark(text string) (a answers, err error) {
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || len(rows) < 2 {
		return a, errors.Join(fmt.Errorf("redis-benchmark printed no table: %s", text), err)
	}
	for i, name := range rows[0] {
		value, err := strconv.ParseFloat(rows[1][i], 64)
		switch name {
		case "rps":
			a.perSecond = value
		case "p50_latency_ms":
			a.p50 = time.Duration(value * float64(time.Millisecond))
		case "p99_latency_ms":
			a.p99 = time.Duration(value * float64(time.Millisecond))
		default:
			continue
		}
		if err != nil {
			return a, fmt.Errorf("redis-benchmark: %s: %w", name, err)
		}
	}
	return a, nil
}
