package apiserver

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strconv"

	"k8s.io/client-go/rest"
)

// Config returns a configuration for real clients of this server. Requests are answered
// on the goroutine of the caller, without a socket. Each watch has a goroutine, which
// ends when the watch is stopped or its context ends. There is no limit of queries per
// second.
func (s *Server) Config() *rest.Config {
	return &rest.Config{
		Host:          "http://apiserver.fake",
		ContentConfig: rest.ContentConfig{ContentType: "application/json", AcceptContentTypes: "application/json"},
		QPS:           -1,
		Transport:     transport{s},
	}
}

// transport connects a client to a server in the same process.
type transport struct{ server *Server }

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		defer func() { _ = r.Body.Close() }() // errors were reported when it was read
	}
	ctx := r.Context()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	a := t.server.answer(r)
	if a.Lost {
		return nil, lost(ctx)
	}
	response := &http.Response{
		Status:     strconv.Itoa(a.Code) + " " + http.StatusText(a.Code),
		StatusCode: a.Code,
		Proto:      "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:  http.Header{},
		Request: r,
	}
	a.writeHeader(response.Header)
	if a.stream == nil {
		response.ContentLength = int64(len(a.Body))
		response.Body = io.NopCloser(bytes.NewReader(a.Body))
		return response, nil
	}
	response.ContentLength = -1
	response.Body = startStream(ctx, a)
	return response, nil
}

// lost returns the error for a lost answer: the error of ctx if ctx has ended, and
// ErrLost otherwise.
func lost(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return ErrLost
}

// startStream runs a watch until its context ends or its body is closed.
func startStream(ctx context.Context, a Answer) io.ReadCloser {
	inner, cancel := context.WithCancel(ctx)
	reader, writer := io.Pipe()
	go func() {
		defer cancel()
		a.stream(inner, pipeFlusher{writer})
		// A watch that ends itself is an EOF; otherwise the error is why the client ended it.
		_ = writer.CloseWithError(ctx.Err())
	}()
	return body{reader, cancel}
}

// body cancels its stream when it is closed.
type body struct {
	io.ReadCloser
	cancel context.CancelFunc
}

func (b body) Close() error {
	b.cancel()
	return b.ReadCloser.Close()
}

// flusher receives the output of a watch, piece by piece.
type flusher interface {
	io.Writer
	Flush() error
}

type pipeFlusher struct{ *io.PipeWriter }

// Flush does nothing: a pipe has no buffer.
func (pipeFlusher) Flush() error { return nil }

type responseFlusher struct {
	io.Writer
	*http.ResponseController
}
