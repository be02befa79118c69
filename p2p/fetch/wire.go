// SPDX-License-Identifier: Apache-2.0

package fetch

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/openledger/openledger/internal/content"
	"github.com/openledger/openledger/internal/enc"
)

// Operations of a blob/1 request.
const (
	opSize = 0 // answer: u64 big-endian
	opPage = 1 // answer: enc(content.Page)
	opUnit = 2 // answer: the unit's bytes, or the whole document
)

// First byte of a blob/1 answer.
const (
	ansData   = 0
	ansAbsent = 1
)

// ErrMessage reports a blob/1 message that is malformed.
var ErrMessage = errors.New("bad blob message")

// request asks for one piece of one blob. Answers come in the order of requests.
type request struct {
	_     struct{} `cbor:",toarray"`
	ID    content.ID
	Op    uint64
	Index uint64 // page or unit, 0 for opSize
}

// decodeRequest reads a request. Errors: ErrMessage.
func decodeRequest(b []byte) (request, error) {
	var r request
	if err := enc.Decode(b, &r); err != nil {
		return request{}, fmt.Errorf("%w: %w", ErrMessage, err)
	}
	if r.Op > opUnit || (r.Op == opSize && r.Index != 0) {
		return request{}, fmt.Errorf("operation %d of index %d: %w", r.Op, r.Index, ErrMessage)
	}
	return r, r.ID.Check()
}

// decodeAnswer splits an answer into its body; ok is false when the peer does
// not have the piece. Errors: ErrMessage.
func decodeAnswer(b []byte) (body []byte, ok bool, err error) {
	switch {
	case len(b) >= 1 && b[0] == ansData:
		return b[1:], true, nil
	case len(b) == 1 && b[0] == ansAbsent:
		return nil, false, nil
	}
	return nil, false, fmt.Errorf("answer of %d bytes: %w", len(b), ErrMessage)
}

// decodeSize reads the answer to opSize. Errors: ErrMessage.
func decodeSize(b []byte) (uint64, error) {
	if len(b) != 8 {
		return 0, fmt.Errorf("size of %d bytes: %w", len(b), ErrMessage)
	}
	n := binary.BigEndian.Uint64(b)
	if n > content.MaxSize {
		return 0, fmt.Errorf("size %d: %w", n, ErrMessage)
	}
	return n, nil
}

// decodePage reads the answer to opPage; the page is not verified yet. Errors:
// ErrMessage.
func decodePage(b []byte) (content.Page, error) {
	var p content.Page
	if err := enc.Decode(b, &p); err != nil {
		return content.Page{}, fmt.Errorf("%w: %w", ErrMessage, err)
	}
	return p, nil
}
