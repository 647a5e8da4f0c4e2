package main

import (
	"strconv"

	"github.com/seqlink/seqlink/test/accuracy/score"
)

// workload is a chain of services, the last of which is the leaf, or databases.
type workload struct {
	name  string
	steps []step
	// databases is the program in the leaf's place, empty where the leaf is last.
	databases string
	// callees is at how many addresses the leaf listens.
	callees int
	// requests is how many are scored at most, the command's bound where 0.
	requests int
	// connections says whether the services' connections are always kept or always new;
	// they are either where it is empty.
	connections connections
	// payload is the receiver's payload_size in bytes, its default where 0.
	payload int
	wanted  wanted
}

// step is a service before the leaf.
type step struct {
	// program is a folder in programs.
	program string
	// service is its name, that of the program where empty.
	service string
	// shape is what it does with a request, env further variables.
	shape string
	env   []string
	// calls is how many calls a request makes; 0 is one. Those in the background begin
	// after the response.
	calls      int
	background bool
	// ownCalls says that the service also calls for no request, by a timer.
	ownCalls bool
	// messages says that those are made for messages over upgraded connections, shared that
	// one call may serve several requests.
	messages, shared bool
}

// connections are those that a service calls through.
type connections string

const (
	kept  connections = "kept"
	fresh connections = "new"
)

// offers reports whether a workload can run with its connections used again or not.
func (w *workload) offers(reuse bool) bool {
	return w.connections == "" || (w.connections == kept) == reuse
}

// wanted are the least shares that will do with 16 or more in flight.
type wanted struct {
	precision, recall float64
	// fullyCorrect counts at 64 in flight.
	fullyCorrect float64
}

var (
	// exact is for evidence that leaves no doubt.
	exact = wanted{precision: 0.999, recall: 0.995}
	// chained is exact, and traces through several services are whole.
	chained = wanted{precision: 0.999, recall: 0.995, fullyCorrect: 0.99}
	// saturated is for several calls through too few connections, and for joins in asyncio.
	saturated = wanted{precision: 0.99, recall: 0.90}
	// handedOver is for calls that another thread makes.
	handedOver = wanted{precision: 0.995, recall: 0.97}
	// interpreted is the same under an interpreter's lock.
	interpreted = wanted{precision: 0.99, recall: 0.90}
)

// workloads are all that are measured.
var workloads = []workload{
	{name: "go-chain", steps: inARow("gohttp"), requests: 800, wanted: chained},
	{name: "go-fanout", steps: []step{{program: "gohttp", shape: "fanout", calls: 3}}, callees: 3, wanted: exact},
	{name: "go-nplus1", steps: []step{{program: "gohttp", shape: "nplus1", calls: 5}}, requests: 800, wanted: exact},
	{name: "go-retry", steps: []step{{program: "gohttp", shape: "retry", calls: 2}}, wanted: exact},
	{name: "go-hedged", steps: []step{{program: "gohttp", shape: "hedged", calls: 2}}, callees: 2, connections: kept, wanted: exact},
	{name: "go-streaming", steps: []step{{program: "gohttp", shape: "streaming"}}, connections: kept, wanted: exact},
	{name: "go-timer", steps: []step{{program: "gohttp", shape: "timer", ownCalls: true}}, connections: kept, wanted: exact},
	{name: "go-after-response", steps: []step{{program: "gohttp", shape: "after", background: true}}, wanted: exact},
	{name: "go-websocket", steps: []step{{program: "gohttp", shape: "websocket", ownCalls: true, messages: true}}, connections: kept, wanted: exact},
	{name: "go-singleflight", steps: []step{{program: "gohttp", shape: "singleflight", shared: true}}, connections: kept, wanted: handedOver},
	{name: "go-workers", steps: []step{{program: "gohttp", shape: "workers", env: []string{"WORKERS=32"}}}, wanted: exact},

	{name: "go-grpc", steps: callingGRPC("one", 1), connections: kept, wanted: exact},
	{name: "go-grpc-fanout", steps: callingGRPC("fanout", 3), requests: 800, connections: kept, wanted: exact},
	{name: "go-grpc-workers", steps: callingGRPC("workers", 1), connections: kept, wanted: exact},
	{name: "node-grpc", steps: throughGRPC("nodegrpc", "one", 1), connections: kept, wanted: exact},
	{name: "node-grpc-parallel", steps: throughGRPC("nodegrpc", "parallel", 3), requests: 800, connections: kept, wanted: exact},
	{name: "python-grpc", steps: throughGRPC("pythongrpc", "one", 1), connections: kept, wanted: interpreted},
	{name: "python-grpc-asyncio", steps: throughGRPC("pythongrpc", "asyncio", 1), connections: kept, wanted: interpreted},
	{name: "go-http2", steps: inARow("gohttp2"), connections: kept, wanted: exact},

	{name: "python-threads", steps: []step{{program: "python", shape: "one"}}, wanted: exact},
	{name: "python-sequence", steps: []step{{program: "python", shape: "sequence", calls: 3}}, callees: 3, requests: 800, wanted: exact},
	{name: "python-prefork", steps: []step{{program: "gunicorn"}}, wanted: exact},
	{name: "python-pool", steps: []step{{program: "python", shape: "pool"}}, wanted: interpreted},
	{name: "python-pool-parallel", steps: []step{{program: "python", shape: "parallel", calls: 2}}, callees: 2, wanted: interpreted},

	{name: "asyncio-chain", steps: []step{{program: "asyncio", shape: "one"}}, wanted: exact},
	{name: "asyncio-sequence", steps: []step{{program: "asyncio", shape: "sequence", calls: 3}}, callees: 3, requests: 800, wanted: exact},
	{name: "asyncio-gather", steps: []step{{program: "asyncio", shape: "gather", calls: 2}}, callees: 2, wanted: saturated},
	{name: "asyncio-sleep", steps: []step{{program: "asyncio", shape: "sleep"}}, wanted: exact},
	{name: "asyncio-hedged", steps: []step{{program: "asyncio", shape: "hedged", calls: 2}}, callees: 2, connections: kept, wanted: saturated},
	{name: "asyncio-streaming", steps: []step{{program: "asyncio", shape: "streaming"}}, connections: kept, wanted: exact},
	{name: "asyncio-timer", steps: []step{{program: "asyncio", shape: "timer", ownCalls: true}}, connections: kept, wanted: exact},
	{name: "asyncio-after-response", steps: []step{{program: "asyncio", shape: "after", background: true}}, wanted: exact},
	{name: "asyncio-pool", steps: []step{{program: "asyncio", shape: "one", env: fewConnections}}, connections: kept, wanted: exact},
	{name: "asyncio-pool-sequence", steps: []step{{program: "asyncio", shape: "sequence", calls: 3, env: fewConnections}}, callees: 3, requests: 800, connections: kept, wanted: saturated},
	{name: "asyncio-chain-4", steps: inARow("asyncio"), requests: 800, wanted: chained},

	{name: "node-chain", steps: []step{{program: "node", shape: "one"}}, wanted: exact},
	{name: "node-sequence", steps: []step{{program: "node", shape: "sequence", calls: 3}}, callees: 3, requests: 800, wanted: exact},
	{name: "node-parallel-join", steps: []step{{program: "node", shape: "parallel", calls: 2}}, callees: 2, wanted: exact},
	{name: "node-sleep", steps: []step{{program: "node", shape: "sleep"}}, wanted: exact},
	{name: "node-hedged", steps: []step{{program: "node", shape: "hedged", calls: 2}}, callees: 2, connections: kept, wanted: exact},
	{name: "node-streaming", steps: []step{{program: "node", shape: "streaming"}}, connections: kept, wanted: exact},
	{name: "node-timer", steps: []step{{program: "node", shape: "timer", ownCalls: true}}, connections: kept, wanted: exact},
	{name: "node-after-response", steps: []step{{program: "node", shape: "after", background: true}}, wanted: exact},
	{name: "node-batch", steps: []step{{program: "node", shape: "batch", shared: true}}, connections: kept, payload: longHeads, wanted: saturated},
	{name: "node-longpoll", steps: []step{{program: "node", shape: "longpoll", ownCalls: true}}, connections: kept, wanted: exact},
	{name: "node-websocket", steps: []step{{program: "node", shape: "websocket", ownCalls: true, messages: true}}, connections: kept, wanted: exact},
	{name: "node-pool", steps: []step{{program: "node", shape: "one", env: fewConnections}}, connections: kept, wanted: exact},
	{name: "node-pool-sequence", steps: []step{{program: "node", shape: "sequence", calls: 3, env: fewConnections}}, callees: 3, requests: 800, connections: kept, wanted: saturated},
	{name: "node-fetch", steps: []step{{program: "node", shape: "one", env: fetch}}, connections: kept, wanted: exact},
	{name: "node-fetch-parallel", steps: []step{{program: "node", shape: "parallel", calls: 2, env: fetch}}, callees: 2, connections: kept, wanted: exact},
	{name: "node-chain-4", steps: inARow("node"), requests: 800, wanted: chained},

	{name: "go-databases", databases: databases, steps: []step{{program: "godb", calls: 3}}, connections: kept, wanted: exact},
	{name: "node-databases", databases: databases, steps: []step{{program: "nodedb", shape: "sequence", calls: 3}}, connections: kept, wanted: exact},
	{name: "node-databases-parallel", databases: databases, steps: []step{{program: "nodedb", shape: "parallel", calls: 2}}, connections: kept, wanted: exact},
	{name: "asyncio-databases", databases: databases, steps: []step{{program: "asynciodb", calls: 4}}, connections: kept, wanted: exact},
	{name: "node-mysql", databases: mariadb, steps: []step{{program: "nodemysql", calls: 2}}, connections: kept, wanted: exact},

	{name: "java-executor", steps: []step{{program: "java", shape: "executor"}}, wanted: exact},
	{name: "java-handoff", steps: []step{{program: "java", shape: "handoff"}}, wanted: handedOver},
	{name: "java-async", steps: []step{{program: "java", shape: "async"}}, connections: kept, wanted: handedOver},
	{name: "java-netty", steps: []step{{program: "netty"}}, wanted: exact},
	{name: "java-tomcat", steps: []step{{program: "tomcat"}}, wanted: handedOver},

	{name: "php-prefork", steps: []step{{program: "apache"}}, connections: fresh, wanted: exact},
	{name: "ruby-puma", steps: []step{{program: "puma"}}, wanted: handedOver},
	{name: "nginx", steps: []step{{program: "nginx"}}, wanted: exact},
	{name: "haproxy", steps: []step{{program: "haproxy"}}, wanted: exact},
	{name: "haproxy-request-id", steps: []step{{program: "nginx", shape: requestID}, {program: "haproxy"}}, wanted: exact},
	{name: "nginx-request-id", steps: []step{{program: "haproxy", shape: requestID}, {program: "nginx"}}, connections: kept, wanted: exact},
	{name: "mixed-chain-4", steps: []step{{program: "nginx"}, {program: "asyncio", shape: "one"}, {program: "node", shape: "one"}}, requests: 800, wanted: chained},
}

// fewConnections is a pool that has calls wait with 16 requests in flight.
var fewConnections = []string{"POOL=8"}

// longHeads is room for the tokens of all requests that one call is for.
const longHeads = 4096

// requestID has a proxy give each request an id, which the one behind it passes on.
const requestID = "request-id"

// fetch has Node use undici, whose connections cannot be closed after each call.
var fetch = []string{"CLIENT=fetch"}

// inARow is a chain of three services of one program, each of which makes one call.
func inARow(program string) []step {
	var steps []step
	for n := range 3 {
		steps = append(steps, step{program: program, service: program + "-" + strconv.Itoa(n+1), shape: "one"})
	}
	return steps
}

// callingGRPC is a chain of three services in Go that call each other by gRPC. What the shape is, the one in
// the middle does.
func callingGRPC(shape string, calls int) []step { return throughGRPC("gogrpc", shape, calls) }

// throughGRPC has a program called by gRPC by a service in Go that is asked by HTTP, and call by gRPC another one.
func throughGRPC(program, shape string, calls int) []step {
	return []step{
		{program: "gogrpc", service: "gogrpc-1", shape: "one", env: []string{"IN=http", "OUT=grpc"}},
		{program: program, service: program + "-2", shape: shape, calls: calls, env: []string{"IN=grpc", "OUT=grpc"}},
		{program: "gogrpc", service: "gogrpc-3", shape: "one", env: []string{"IN=grpc", "OUT=http"}},
	}
}

// plan is what one request through the workload makes.
func (w *workload) plan() score.Plan {
	var plan score.Plan
	for _, s := range w.steps {
		plan = append(plan, score.Service{
			Name: s.name(), Calls: max(1, s.calls), Background: s.background, OwnCalls: s.ownCalls,
			Messages: s.messages, Shared: s.shared,
		})
	}
	if w.databases != "" {
		// They overwrite their environment, so they are named by their executables.
		return append(plan, score.Service{Name: w.databases, Others: []string{"postgres", "redis-server", "redis-check-rdb", "mariadbd"}})
	}
	return append(plan, score.Service{Name: leaf})
}

func (s *step) name() string {
	if s.service != "" {
		return s.service
	}
	return s.program
}

// short says where a result is less than wanted.
func (c *cell) short() []string {
	reasons := []string{}
	less := func(what string, is, least float64) {
		if is < least {
			reasons = append(reasons, what+" below "+strconv.FormatFloat(least, 'g', -1, 64))
		}
	}
	if c.OverMerged > 0 {
		reasons = append(reasons, "over-merged traces")
	}
	if c.InFlight < 16 {
		return reasons
	}
	less("precision", c.Precision, c.wanted.precision)
	less("recall", c.Recall, c.wanted.recall)
	if c.InFlight == 64 {
		less("fully correct", c.FullyCorrect, c.wanted.fullyCorrect)
	}
	if c.CalibrationError > maxCalibrationError {
		reasons = append(reasons, "confidence off by more than "+strconv.FormatFloat(maxCalibrationError, 'g', -1, 64))
	}
	return reasons
}

const maxCalibrationError = 0.03
