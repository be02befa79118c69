// SPDX-License-Identifier: Apache-2.0

package proc

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/internal/enc"
)

// Bounds of the protocol.
const (
	maxMessage = 1 << 20  // bytes of one message
	segment    = 16 << 20 // bytes of the shared memory: the most of one transfer
	maxBuffers = 1 << 20  // buffers that live at once
	maxRuns    = 256      // operations of one message
)

// Kinds of requests.
const (
	kindInfo     = iota
	kindAlloc    // Buf.Len elements
	kindFree     // all of Buf
	kindUpload   // Buf from the shared memory
	kindDownload // Buf into it
	kindRun      // Runs one after the other, up to the first error
	kindSync
	kindClose
)

type request struct {
	_    struct{} `cbor:",toarray"`
	Kind uint64
	Type uint8
	Buf  part
	Runs []launch
}

// part is elements Off … Off+Len−1 of an allocation.
type part struct {
	_             struct{} `cbor:",toarray"`
	Buf, Off, Len uint64
}

// launch is one operation.
type launch struct {
	_    struct{} `cbor:",toarray"`
	Node []byte
	In   []part
	Out  part
}

type reply struct {
	_      struct{} `cbor:",toarray"`
	Code   uint64   // index + 1 of codes, 0 for none
	Text   string
	Buf    uint64
	Region [3]uint64
	Info   info
}

// info is gpu.Info.
type info struct {
	_                          struct{} `cbor:",toarray"`
	Name, Backend, Class, UUID string
	Memory                     uint64
	Threads                    uint64
}

// codes are the errors that keep their meaning across the pipe.
var codes = []error{gpu.ErrMemory, gpu.ErrWrong, gpu.ErrLost, gpu.ErrUnsupported, gpu.ErrDeadline, gpu.ErrArgs}

func failure(err error) reply {
	r := reply{Code: uint64(len(codes) + 1), Text: err.Error()}
	for i, c := range codes {
		if errors.Is(err, c) {
			r.Code = uint64(i + 1)
			break
		}
	}
	return r
}

func (r reply) err() error {
	switch {
	case r.Code == 0:
		return nil
	case r.Code <= uint64(len(codes)):
		return remote{codes[r.Code-1], r.Text}
	}
	return errors.New(r.Text)
}

// remote has the text of the other side and is the error of this one.
type remote struct {
	is   error
	text string
}

func (e remote) Error() string { return e.text }
func (e remote) Unwrap() error { return e.is }

// send writes one message: its length as 4 bytes, little-endian, and its encoding.
func send(w io.Writer, v any) error {
	b := enc.Encode(v)
	if len(b) > maxMessage {
		return fmt.Errorf("message of %d bytes, at most %d", len(b), maxMessage)
	}
	_, err := w.Write(append(binary.LittleEndian.AppendUint32(nil, uint32(len(b))), b...))
	return err
}

// receive reads one message. io.EOF means that the other side is gone.
func receive(r io.Reader, v any) error {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return err
	}
	n := binary.LittleEndian.Uint32(head[:])
	if n > maxMessage {
		return fmt.Errorf("message of %d bytes, at most %d", n, maxMessage)
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		return err
	}
	return enc.Decode(b, v)
}
