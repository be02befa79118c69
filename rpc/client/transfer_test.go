// SPDX-License-Identifier: Apache-2.0

package client_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/openledger/openledger/internal/content"
	"github.com/openledger/openledger/rpc/api"
	"github.com/openledger/openledger/rpc/client"
)

// host serves one blob; cut ends every answer after so many bytes.
type host struct {
	blob   []byte
	cut    int
	asked  []string // ranges
	status int
}

func (h *host) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.asked = append(h.asked, r.Header.Get("Range"))
	if h.status != 0 {
		http.Error(w, "not here", h.status)
		return
	}
	if h.cut > 0 {
		w = &cutter{w, h.cut}
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(h.blob))
}

type cutter struct {
	http.ResponseWriter
	left int
}

func (c *cutter) Write(p []byte) (int, error) {
	if len(p) > c.left {
		_, _ = c.ResponseWriter.Write(p[:c.left])
		panic(http.ErrAbortHandler)
	}
	c.left -= len(p)
	return c.ResponseWriter.Write(p)
}

func download(t *testing.T, h *host, id content.ID, size int, path string) error {
	t.Helper()
	s := httptest.NewServer(h)
	defer s.Close()
	last := uint64(0)
	return client.New(s.URL, "").Download(context.Background(), id, uint64(size), path, func(done, total uint64) {
		if done <= last || done > total || total != uint64(size) {
			t.Errorf("progress %d of %d after %d", done, total, last)
		}
		last = done
	})
}

func blob(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i * i >> 8)
	}
	return b
}

func TestADownloadGoesOnWhereItBroke(t *testing.T) {
	b := blob(1 << 20)
	path := filepath.Join(t.TempDir(), "blob")
	h := &host{blob: b, cut: 300_000}
	if err := download(t, h, content.Sum(b), len(b), path); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, b) || len(h.asked) < 3 {
		t.Fatalf("%d bytes in %d requests, %v", len(got), len(h.asked), err)
	}
	if _, err := os.Stat(path + ".part"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a part is left: %v", err)
	}
	// What an earlier run left is not asked for again.
	if err := os.WriteFile(path+".part", b[:1<<19], 0o644); err != nil {
		t.Fatal(err)
	}
	h = &host{blob: b}
	if err := download(t, h, content.Sum(b), len(b), path); err != nil || len(h.asked) != 1 || h.asked[0] != "bytes=524288-" {
		t.Fatalf("asked %q, %v", h.asked, err)
	}
	// A part with everything in it, and something behind, needs nobody.
	if err := os.WriteFile(path+".part", append(bytes.Clone(b), 1, 2, 3), 0o644); err != nil {
		t.Fatal(err)
	}
	h = &host{status: http.StatusNotFound}
	if err := download(t, h, content.Sum(b), len(b), path); err != nil || len(h.asked) != 0 {
		t.Fatalf("asked %q, %v", h.asked, err)
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, b) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
}

func TestADownloadThatIsNotTheContentIsRefused(t *testing.T) {
	b := blob(100_000)
	wrong := bytes.Clone(b)
	wrong[70_000] ^= 1
	for name, c := range map[string]struct {
		h    host
		size int
	}{
		"other bytes":  {host{blob: wrong}, len(b)},
		"too short":    {host{blob: b[:90_000]}, len(b)},
		"too long":     {host{blob: append(bytes.Clone(b), 0)}, len(b)},
		"nothing":      {host{}, len(b)},
		"another size": {host{blob: b}, len(b) - 1},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "blob")
			if err := download(t, &c.h, content.Sum(b), c.size, path); !errors.Is(err, client.ErrContent) {
				t.Fatalf("got %v", err)
			}
			if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("something stands at the path: %v", err)
			}
		})
	}
	// A part of something else is found out, deleted, and the next call begins anew.
	path := filepath.Join(t.TempDir(), "blob")
	if err := os.WriteFile(path+".part", wrong[:80_000], 0o644); err != nil {
		t.Fatal(err)
	}
	if err := download(t, &host{blob: b}, content.Sum(b), len(b), path); !errors.Is(err, client.ErrContent) {
		t.Fatalf("got %v", err)
	}
	if err := download(t, &host{blob: b}, content.Sum(b), len(b), path); err != nil {
		t.Fatal(err)
	}
}

func TestADownloadThatCannotBeHadSaysWhy(t *testing.T) {
	path := filepath.Join(t.TempDir(), "blob")
	if err := download(t, &host{status: http.StatusInternalServerError}, content.Sum(nil), 5, path); err == nil || errors.Is(err, client.ErrContent) {
		t.Errorf("got %v", err)
	}
	if err := client.New("http://127.0.0.1:1", "").Download(t.Context(), content.Sum(nil), 5, path, nil); !errors.Is(err, client.ErrUnreachable) {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := client.New("http://127.0.0.1:1", "").Download(ctx, content.Sum(nil), 5, path, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if err := client.New("http://127.0.0.1:1", "").Download(t.Context(), content.Sum(nil), 5, filepath.Join(path, "x", "y"), nil); !errors.Is(err, os.ErrNotExist) && err == nil {
		t.Errorf("got %v", err)
	}
}

func TestPartsOfABlob(t *testing.T) {
	h := &host{blob: []byte("0123456789")}
	s := httptest.NewServer(h)
	defer s.Close()
	r := client.New(s.URL, "").BlobAt(context.Background(), content.Sum(h.blob))
	for _, c := range []struct {
		off  int64
		n    int
		want string
		err  error
	}{{0, 3, "012", nil}, {7, 3, "789", nil}, {8, 4, "89", io.EOF}, {10, 1, "", io.EOF}, {3, 0, "", nil}} {
		p := make([]byte, c.n)
		n, err := r.ReadAt(p, c.off)
		if string(p[:n]) != c.want || err != c.err {
			t.Errorf("%d from %d: %q, %v", c.n, c.off, p[:n], err)
		}
	}
	h.status = http.StatusNotFound
	var missing *api.Error
	if _, err := r.ReadAt(make([]byte, 1), 0); !errors.As(err, &missing) || missing.Code != api.CodeNotFound {
		t.Errorf("%v", err)
	}
	h.status = http.StatusOK // all of it, though a part was asked for
	if n, err := r.ReadAt(make([]byte, 1), 0); err == nil || n != 0 {
		t.Errorf("%d, %v", n, err)
	}
}
