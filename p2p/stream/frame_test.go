// SPDX-License-Identifier: Apache-2.0

package stream

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"
)

func TestReadFrame(t *testing.T) {
	for _, c := range []struct {
		name  string
		in    []byte
		limit int
		want  []byte
		err   error
	}{
		{"a frame at the limit is read", AppendFrame(nil, []byte("abcd")), 4, []byte("abcd"), nil},
		{"an empty frame is a frame", AppendFrame(nil, nil), 4, []byte{}, nil},
		{"the end before a frame is the end", nil, 4, nil, io.EOF},
		{"a frame above the limit is refused before its body", []byte{0, 0, 0, 5}, 4, nil, ErrFrame},
		{"the largest length does not overflow", []byte{255, 255, 255, 255, 1}, MaxFrame, nil, ErrFrame},
		{"a cut length is refused", []byte{0, 0}, 4, nil, ErrFrame},
		{"a cut body is refused", []byte{0, 0, 0, 3, 'a'}, 4, nil, ErrFrame},
		{"a missing body is refused", []byte{0, 0, 0, 3}, 4, nil, ErrFrame},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := ReadFrame(bytes.NewReader(c.in), c.limit)
			if !errors.Is(err, c.err) || !bytes.Equal(got, c.want) {
				t.Errorf("got %q, %v; want %q, %v", got, err, c.want, c.err)
			}
		})
	}
}

func TestReadFrameArrivesByteByByte(t *testing.T) {
	body := bytes.Repeat([]byte("x"), growStep+growStep/2)
	got, err := ReadFrame(iotest.OneByteReader(bytes.NewReader(AppendFrame(nil, body))), len(body))
	if err != nil || !bytes.Equal(got, body) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
}

// A sender that announces a large frame and sends nothing must not make us
// allocate it.
func TestReadFrameAllocatesOnlyWhatArrives(t *testing.T) {
	head := []byte{1, 0, 0, 0} // 16 MiB
	allocs := testing.Benchmark(func(b *testing.B) {
		for b.Loop() {
			_, _ = ReadFrame(bytes.NewReader(head), MaxFrame)
		}
	})
	if n := allocs.AllocedBytesPerOp(); n > 4*growStep {
		t.Fatalf("%d bytes allocated for a frame of which nothing arrived", n)
	}
}

func TestReadAnswer(t *testing.T) {
	frame := func(parts ...[]byte) []byte {
		var b []byte
		for _, p := range parts {
			b = AppendFrame(b, p)
		}
		return b
	}
	for _, c := range []struct {
		name string
		in   []byte
		want int
		err  error
	}{
		{"two data frames", frame([]byte("\x00ab"), []byte("\x00cd")), 2, nil},
		{"no frame at all ends well", nil, 0, nil},
		{"an empty data frame counts", frame([]byte{0}), 1, nil},
		{"a frame without a kind", frame(nil), 0, ErrFrame},
		{"an unknown kind", frame([]byte{2, 1}), 0, ErrFrame},
		{"more than the total", frame([]byte("\x00abcd"), []byte("\x00abcd"), []byte("\x00a")), 2, ErrFrame},
		{"a frame above the bound", frame([]byte("\x00abcde")), 0, ErrFrame},
		{"a cut second frame", append(frame([]byte("\x00ab")), 0, 0, 0, 9), 1, ErrFrame},
		{"a busy peer", frame([]byte{1, codeBusy}), 0, ErrBusy},
		{"a peer that lacks it, after data", frame([]byte("\x00ab"), []byte{1, codeNotFound}), 1, ErrNotFound},
		{"a peer that refuses", frame([]byte("\x01\x00no")), 0, ErrRefused},
		{"an error without a code", frame([]byte{1}), 0, ErrFrame},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := 0
			err := readAnswer(bytes.NewReader(c.in), 4, 8, func([]byte) error { n++; return nil })
			if !errors.Is(err, c.err) || n != c.want {
				t.Errorf("got %d frames, %v; want %d, %v", n, err, c.want, c.err)
			}
		})
	}
}

func TestErrorTextIsBounded(t *testing.T) {
	var buf bytes.Buffer
	if err := writeError(&buf, errors.New(string(bytes.Repeat([]byte("é"), 500)))); err != nil {
		t.Fatal(err)
	}
	err := readAnswer(&buf, 1<<10, 1<<10, func([]byte) error { return nil })
	if !errors.Is(err, ErrRefused) || len(err.Error()) > 4*maxErrText {
		t.Fatalf("%d bytes: %v", len(err.Error()), err)
	}
}

func FuzzReadFrame(f *testing.F) {
	f.Add([]byte{0, 0, 0, 2, 'a', 'b', 0, 0, 0, 0}, 16)
	f.Add([]byte{255, 255, 255, 255}, MaxFrame)
	f.Add([]byte{0, 0, 1}, 1)
	f.Fuzz(func(t *testing.T, in []byte, limit int) {
		limit = max(0, min(limit, MaxFrame))
		r := bytes.NewReader(in)
		var again []byte
		for {
			b, err := ReadFrame(r, limit)
			if err != nil {
				break
			}
			if len(b) > limit {
				t.Fatalf("frame of %d bytes above %d", len(b), limit)
			}
			again = AppendFrame(again, b)
		}
		if !bytes.HasPrefix(in, again) {
			t.Fatal("read frames do not encode to the bytes they came from")
		}
	})
}

func FuzzReadAnswer(f *testing.F) {
	f.Add(AppendFrame(AppendFrame(nil, []byte("\x00ab")), []byte("\x01\x01busy")))
	f.Add(AppendFrame(nil, []byte("\x01")))
	f.Fuzz(func(t *testing.T, in []byte) {
		total := 0
		_ = readAnswer(bytes.NewReader(in), 64, 256, func(b []byte) error {
			if total += len(b); len(b) > 64 || total > 256 {
				t.Fatalf("%d bytes passed the bounds", total)
			}
			return nil
		})
	})
}
