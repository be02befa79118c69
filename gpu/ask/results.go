// SPDX-License-Identifier: Apache-2.0

package ask

import (
	"errors"
	"fmt"

	"github.com/openledger/openledger/gpu/infer"
	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/fx"
)

// ErrResults reports bytes that are no results.
var ErrResults = errors.New("bad results")

// Judged is a table's row against its label: whether the greatest logit is that of
// the label, and the bits of its cross-entropy.
type Judged struct {
	_     struct{} `cbor:",toarray"`
	Right bool     `json:"right"`
	Loss  uint32   `json:"loss"`
}

// Score is a line against its own next tokens: how many there are, and the bits of the
// sum of their cross-entropies, added one after the other. A line of one token has
// none.
type Score struct {
	_      struct{} `cbor:",toarray"`
	Tokens uint64   `json:"tokens"`
	Loss   uint32   `json:"loss"`
}

// Said continues a line: the tokens, and why there are no more, one of lm.Reason; a
// line that leaves no room in the context has none.
type Said struct {
	_      struct{} `cbor:",toarray"`
	Tokens []uint32 `json:"tokens"`
	Reason string   `json:"reason"`
}

// The forms of results.
const (
	formAnswer = 1 // infer.Answer
	formJudged = 2
	formScore  = 3
	formSaid   = 4
)

// Results are those of all rows in order; the lists of other forms are empty.
type Results struct {
	Answers []infer.Answer `json:"answers,omitempty"` // of a table
	Judged  []Judged       `json:"judged,omitempty"`
	Scores  []Score        `json:"scores,omitempty"` // of texts
	Said    []Said         `json:"said,omitempty"`
}

// item is one result on its way; exactly one is given, as Form says.
type item[T any] struct {
	_    struct{} `cbor:",toarray"`
	Form uint64
	Body T
}

// Encode returns the results as a sequence of CBOR items [form, result], one per row:
// the output of a task. Segments are stretches of it.
func (r Results) Encode() []byte {
	b := encodeAll(nil, formAnswer, r.Answers)
	b = encodeAll(b, formJudged, r.Judged)
	b = encodeAll(b, formScore, r.Scores)
	return encodeAll(b, formSaid, r.Said)
}

func encodeAll[T any](b []byte, form uint64, list []T) []byte {
	for _, x := range list {
		b = append(b, enc.Encode(item[T]{Form: form, Body: x})...)
	}
	return b
}

// Decode reads Encode. All results have one form. Errors: ErrResults.
func Decode(b []byte) (Results, error) {
	var r Results
	for len(b) > 0 {
		if len(b) < 2 {
			return Results{}, fmt.Errorf("%w: cut off", ErrResults)
		}
		var err error
		switch b[1] {
		case formAnswer:
			r.Answers, b, err = decode(r.Answers, b)
		case formJudged:
			r.Judged, b, err = decode(r.Judged, b)
		case formScore:
			r.Scores, b, err = decode(r.Scores, b)
		case formSaid:
			r.Said, b, err = decode(r.Said, b)
		default:
			err = fmt.Errorf("form %d", b[1])
		}
		if err != nil {
			return Results{}, fmt.Errorf("%w: result %d: %w", ErrResults, r.Len(), err)
		}
	}
	forms := 0
	for _, n := range []int{len(r.Answers), len(r.Judged), len(r.Scores), len(r.Said)} {
		if n > 0 {
			forms++
		}
	}
	if forms > 1 {
		return Results{}, fmt.Errorf("%w: of several forms", ErrResults)
	}
	return r, nil
}

func decode[T any](list []T, b []byte) ([]T, []byte, error) {
	var x item[T]
	rest, err := enc.First(b, &x)
	return append(list, x.Body), rest, err
}

// Len is the number of results.
func (r Results) Len() int { return len(r.Answers) + len(r.Judged) + len(r.Scores) + len(r.Said) }

// Summary is an evaluation in figures for people.
type Summary struct {
	Rows   int     `json:"rows"`
	Right  int     `json:"right"`  // rows of tables with the right label
	Tokens uint64  `json:"tokens"` // of texts
	Loss   float64 `json:"loss"`   // mean cross-entropy of a row, or of a token
}

// Summary adds up an evaluation.
func (r Results) Summary() Summary {
	s := Summary{Rows: r.Len()}
	n := uint64(len(r.Judged))
	for _, j := range r.Judged {
		if s.Loss += float64(fx.FromBits(j.Loss)); j.Right {
			s.Right++
		}
	}
	for _, x := range r.Scores {
		s.Loss += float64(fx.FromBits(x.Loss))
		s.Tokens, n = s.Tokens+x.Tokens, n+x.Tokens
	}
	if n > 0 {
		s.Loss /= float64(n)
	}
	return s
}
