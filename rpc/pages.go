// SPDX-License-Identifier: Apache-2.0

package rpc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/openledger/openledger/internal/content"
	"github.com/openledger/openledger/rpc/api"
)

// serveRPC answers one request or a batch (RPC-01). Any content type will do.
func (s *Server) serveRPC(w http.ResponseWriter, r *http.Request) {
	body, refusal := readBody(w, r)
	if refusal != nil {
		writeJSON(w, http.StatusRequestEntityTooLarge, failure(nil, refusal))
		return
	}
	reqs, batch, refusal := parse(body)
	if refusal != nil {
		writeJSON(w, http.StatusOK, failure(nil, refusal))
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), waitOther)
	defer cancel()
	var out []response
	if s.limits.allow(principalOf(ctx).client, len(reqs)-1, s.clock()) {
		out = s.answerAll(ctx, reqs, nil)
	} else {
		out = refuseAll(reqs, api.Limit("too many requests", 1_000))
	}
	switch {
	case len(out) == 0:
		w.WriteHeader(http.StatusNoContent)
	case batch:
		writeAnswers(w, out, true)
	default:
		writeAnswers(w, out[:1], false)
	}
}

// readBody reads at most MaxBody bytes that come within waitRead.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, *api.Error) {
	c := http.NewResponseController(w)
	_ = c.SetReadDeadline(time.Now().Add(waitRead))
	var buf bytes.Buffer
	buf.Grow(int(min(max(r.ContentLength, 0), MaxBody)) + bytes.MinRead)
	_, err := buf.ReadFrom(http.MaxBytesReader(w, r.Body, MaxBody))
	body := buf.Bytes()
	_ = c.SetReadDeadline(time.Time{}) // a deadline left behind would end long calls
	var tooBig *http.MaxBytesError
	switch {
	case errors.As(err, &tooBig):
		return nil, api.Limit(fmt.Sprintf("the body is larger than %d bytes", MaxBody), 0)
	case err != nil:
		return nil, api.Limit("the body did not arrive in time", 0)
	}
	return body, nil
}

// serveHelp lists the methods with a curl for each.
func (s *Server) serveHelp(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprintf(w, "OpenLedger JSON-RPC 2.0: POST /rpc, WebSocket /ws, events GET /events, schema GET /openrpc.json\n\n")
	for _, m := range api.Methods() {
		fmt.Fprintf(w, "%s (%s)  %s\n", m.Name, m.Perm, m.Summary)
		if !m.Socket() {
			fmt.Fprintf(w, "  curl %s/rpc -d '%s'\n", r.Host, m.Request())
		}
		fmt.Fprintln(w)
	}
}

func (s *Server) serveOpenRPC(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, s.openrpc)
}

// serveHealth says whether the node answers at all.
func (s *Server) serveHealth(w http.ResponseWriter, r *http.Request) {
	answered := make(chan error, 1)
	s.running.Go(func() {
		_, err := s.cfg.Backend.ChainHead(r.Context(), api.Empty{})
		answered <- err
	})
	select {
	case err := <-answered:
		if err == nil {
			_, _ = io.WriteString(w, "ok\n")
			return
		}
	case <-time.After(waitHealth):
	}
	http.Error(w, "the node does not answer", http.StatusServiceUnavailable)
}

// serveReady says whether the node is worth asking, or why not.
func (s *Server) serveReady(w http.ResponseWriter, r *http.Request) {
	if s.cfg.Ready != nil {
		if err := s.cfg.Ready(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
	}
	s.serveHealth(w, r)
}

// serveUpload stores the body as a blob and answers {"id", "bytes"}.
func (s *Server) serveUpload(w http.ResponseWriter, r *http.Request) {
	if s.cfg.Blobs == nil || !principalOf(r.Context()).may(api.Sign) {
		writeJSON(w, http.StatusUnauthorized, failure(nil, api.Unauthorized(api.Sign)))
		return
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(transferWait))
	r.Body = http.MaxBytesReader(w, r.Body, s.maxUpload)
	id, size, err := s.cfg.Blobs.PutBlob(r.Context(), r)
	var tooBig *http.MaxBytesError
	switch {
	case errors.As(err, &tooBig):
		writeJSON(w, http.StatusRequestEntityTooLarge, failure(nil, api.Limit(fmt.Sprintf("the upload is larger than %d bytes", s.maxUpload), 0)))
	case err != nil:
		writeJSON(w, http.StatusInternalServerError, s.failed(nil, "upload", err))
	default:
		writeJSON(w, http.StatusOK, map[string]any{"id": id, "bytes": size})
	}
}

// serveBlob hands out content by its id, never by a path.
func (s *Server) serveBlob(w http.ResponseWriter, r *http.Request) {
	id, err := content.ParseID(r.PathValue("id"))
	if err != nil || s.cfg.Blobs == nil {
		http.Error(w, "no such content: the path is /blob/ and a content id", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Security-Policy", "default-src 'none'; sandbox")
	s.cfg.Blobs.ServeBlob(w, r, id.String())
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n'))
}
