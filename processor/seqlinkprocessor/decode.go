package seqlinkprocessor // import "github.com/seqlink/seqlink/processor/seqlinkprocessor"

import (
	"bytes"
	"runtime"
	"sync"
)

// batchDecoder decodes stored batches in parallel and hands them on in the order in
// which they came.
type batchDecoder struct {
	jobs    chan *decodeJob
	ordered chan *decodeJob
	workers sync.WaitGroup
	done    chan struct{}
}

type decodeJob struct {
	key   batchKey
	data  []byte
	spans []arrival
	err   error
	ready chan struct{}
}

// newBatchDecoder starts as many workers as there are processors. take is called
// from one goroutine.
func newBatchDecoder(take func(batchKey, []arrival, error)) *batchDecoder {
	n := runtime.GOMAXPROCS(0)
	d := &batchDecoder{
		jobs: make(chan *decodeJob, n), ordered: make(chan *decodeJob, 4*n), done: make(chan struct{}),
	}
	for range n {
		d.workers.Go(d.work)
	}
	go func() {
		defer close(d.done)
		for job := range d.ordered {
			<-job.ready
			take(job.key, job.spans, job.err)
		}
	}()
	return d
}

func (d *batchDecoder) work() {
	for job := range d.jobs {
		td, err := decodeBatch(job.data)
		if err == nil {
			job.spans = readSpans(nil, td)
		}
		job.err, job.data = err, nil
		close(job.ready)
	}
}

// decode takes a copy of data.
func (d *batchDecoder) decode(key batchKey, data []byte) {
	job := &decodeJob{key: key, data: bytes.Clone(data), ready: make(chan struct{})}
	d.ordered <- job
	d.jobs <- job
}

// wait returns when everything was handed on.
func (d *batchDecoder) wait() {
	close(d.jobs)
	close(d.ordered)
	d.workers.Wait()
	<-d.done
}
