// SPDX-License-Identifier: Apache-2.0

package rpc

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/openledger/openledger/rpc/api"
)

// serveHelp lists the methods with a curl for each.
func (s *Server) serveHelp(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprintf(w, "OpenLedger JSON-RPC 2.0: POST /rpc, WebSocket /ws, events /events, schema /openrpc.json\n\n")
	for _, m := range api.Methods() {
		fmt.Fprintf(w, "%s (%s)  %s\n  curl %s/rpc -d '{\"id\":1,\"method\":%q,\"params\":%s}'\n\n",
			m.Name, m.Perm, m.Summary, r.Host, m.Name, m.Example)
	}
}

func (s *Server) serveOpenRPC(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, api.OpenRPC())
}

func (s *Server) serveHealth(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain")
	_, _ = w.Write([]byte("ok\n"))
}

func (s *Server) serveReady(w http.ResponseWriter, _ *http.Request) {
	if s.cfg.Ready != nil {
		if err := s.cfg.Ready(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
	}
	s.serveHealth(w, nil)
}

// serveUpload stores the body as a blob and answers {"id", "bytes"}.
func (s *Server) serveUpload(w http.ResponseWriter, r *http.Request) {
	if s.cfg.Blobs == nil || !principalOf(r.Context()).may(api.Sign) {
		writeJSON(w, http.StatusUnauthorized, failure(nil, api.Unauthorized(api.Sign)))
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, MaxUpload)
	id, size, err := s.cfg.Blobs.PutBlob(r.Context(), r)
	var tooBig *http.MaxBytesError
	switch {
	case errors.As(err, &tooBig):
		writeJSON(w, http.StatusRequestEntityTooLarge, failure(nil, api.Limit("upload too large", 0)))
	case err != nil:
		writeJSON(w, http.StatusInternalServerError, s.failed(nil, "upload", err))
	default:
		writeJSON(w, http.StatusOK, map[string]any{"id": id, "bytes": size})
	}
}

func (s *Server) serveBlob(w http.ResponseWriter, r *http.Request) {
	if s.cfg.Blobs == nil {
		http.NotFound(w, r)
		return
	}
	s.cfg.Blobs.ServeBlob(w, r, r.PathValue("id"))
}
