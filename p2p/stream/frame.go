// SPDX-License-Identifier: Apache-2.0

package stream

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// HeaderSize is the length in bytes of a frame's length prefix.
const HeaderSize = 4

// MaxFrame is the largest bound a protocol may declare, in bytes.
const MaxFrame = 16 << 20

// growStep bounds what a frame's sender can make us allocate before it has sent
// as much: a buffer grows by at most this many bytes ahead of the data.
const growStep = 128 << 10

// ErrFrame reports a frame that is longer than the protocol allows or cut short.
// A peer that sends one loses the stream.
var ErrFrame = errors.New("bad frame")

// AppendFrame appends the length prefix and body to dst and returns it. The
// body may be empty and must be at most MaxFrame bytes long.
func AppendFrame(dst, body []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(body)))
	return append(dst, body...)
}

// ReadFrame reads one frame of at most limit bytes. The result is fresh and
// belongs to the caller; memory grows only as data arrives. Errors: io.EOF if
// the reader ended before the first byte, ErrFrame if the length is above limit
// or the frame is cut short, else the reader's error.
func ReadFrame(r io.Reader, limit int) ([]byte, error) {
	var head [HeaderSize]byte
	if n, err := io.ReadFull(r, head[:]); err != nil {
		if n > 0 && errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, fmt.Errorf("length prefix cut short: %w", ErrFrame)
		}
		return nil, err
	}
	size := binary.BigEndian.Uint32(head[:])
	if uint64(size) > uint64(limit) {
		return nil, fmt.Errorf("frame of %d bytes, at most %d: %w", size, limit, ErrFrame)
	}
	body := make([]byte, 0, min(int(size), growStep))
	for len(body) < int(size) {
		from := len(body)
		to := min(int(size), max(2*from, growStep))
		body = append(body, make([]byte, to-from)...)
		if _, err := io.ReadFull(r, body[from:]); err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				return nil, fmt.Errorf("frame cut short: %w", ErrFrame)
			}
			return nil, err
		}
	}
	return body, nil
}
