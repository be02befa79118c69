// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/openledger/openledger/gpu/ask"
	"github.com/openledger/openledger/gpu/format/hftest"
	"github.com/openledger/openledger/gpu/format/pack"
	"github.com/openledger/openledger/gpu/infer"
	"github.com/openledger/openledger/internal/content"
	"github.com/openledger/openledger/internal/merkle"
	"github.com/openledger/openledger/rpc/client"
)

// tiny is the package of a small model.
func tiny(t *testing.T) *pack.Package {
	t.Helper()
	dir := t.TempDir()
	if err := hftest.Write(dir, hftest.Options{Config: hftest.Tiny(), Seed: 1}); err != nil {
		t.Fatal(err)
	}
	p, err := pack.Folder(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func TestAPackageIsStreamedToTheNode(t *testing.T) {
	p := tiny(t)
	var want bytes.Buffer
	root, err := p.Write(&want)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		is     string // of the error
	}{
		"well": {func(w http.ResponseWriter, r *http.Request) {
			b, _ := io.ReadAll(r.Body)
			io.WriteString(w, `{"id":"`+content.Sum(b).String()+`","bytes":1}`)
		}, ""},
		"stores something else": {func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			io.WriteString(w, `{"id":"`+content.Sum([]byte("x")).String()+`"}`)
		}, "other content"},
		"breaks off": {func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.ReadFull(r.Body, make([]byte, 100))
			panic(http.ErrAbortHandler)
		}, "not reachable"},
		"refuses": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			io.WriteString(w, `{"error":{"code":-32029,"message":"the upload is too large","data":{"code":"LIMIT"}}}`)
		}, "too large"},
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(c.answer)
			defer s.Close()
			got, err := sendPackage(t.Context(), client.New(s.URL, ""), p, io.Discard)
			if c.is != "" {
				if err == nil || !strings.Contains(err.Error(), c.is) {
					t.Errorf("%v", err)
				}
				return
			}
			if err != nil || got != (sent{root, content.Sum(want.Bytes()), uint64(want.Len())}) {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

// TestWhatHasAnotherRootIsNotWritten gives unpack a package that is whole and in order,
// but not the one that the ledger names.
func TestWhatHasAnotherRootIsNotWritten(t *testing.T) {
	p, file := tiny(t), filepath.Join(t.TempDir(), "package")
	var b bytes.Buffer
	root, err := p.Write(&b)
	if err == nil {
		err = os.WriteFile(file, b.Bytes(), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "out")
	var coded *exitError
	if _, err := unpack(file, [32]byte{1}, out); !errors.As(err, &coded) || coded.code != exitNo {
		t.Errorf("another root: %v", err)
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("something was written")
	}
	if kind, err := unpack(file, root, out); err != nil || kind != "model" {
		t.Errorf("%s, %v", kind, err)
	}
	if err := os.WriteFile(file, b.Bytes()[:b.Len()-1], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := unpack(file, root, out); !errors.As(err, &coded) || coded.code != exitNo {
		t.Errorf("cut off: %v", err)
	}
}

// TestTASK01TheRootOverResults computes it from the bytes as they lie in a blob.
func TestTASK01TheRootOverResults(t *testing.T) {
	r := ask.Results{Answers: []infer.Answer{{Label: 1, Logits: []uint32{1, 2}}, {Label: 0, Logits: []uint32{3, 4}}, {Label: 1, Logits: []uint32{5, 6}}}}
	blob := r.Encode()
	each := len(blob) / 3
	first, last := content.Sum(blob[:2*each]).Hash(), content.Sum(blob[2*each:]).Hash()
	if got := asked(r, 2); got != merkle.Root([][]byte{first[:], last[:]}) {
		t.Errorf("%x", got)
	}
	for name, r := range map[string]ask.Results{"judged": {Judged: make([]ask.Judged, 3)}, "scores": {Scores: make([]ask.Score, 3)}, "said": {Said: make([]ask.Said, 3)}} {
		blob, cut := r.Encode(), []byte(nil)
		for at := range 3 {
			cut = append(cut, segment(r, at, at+1).Encode()...)
		}
		if !bytes.Equal(cut, blob) {
			t.Errorf("%s: segments are not the whole", name)
		}
	}
}
