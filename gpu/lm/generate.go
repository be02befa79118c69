// SPDX-License-Identifier: Apache-2.0

package lm

import (
	"fmt"
	"slices"

	"github.com/openledger/openledger/gpu/format/tokenizer"
)

// Request is a text to be continued.
type Request struct {
	Prompt   []uint32
	Max      uint64 // tokens of the answer
	Sampling Sampling
}

// Reason says why an answer ended.
type Reason string

// The reasons.
const (
	ReasonEnd     Reason = "end"     // the model said so
	ReasonLength  Reason = "length"  // Request.Max
	ReasonContext Reason = "context" // the session is full
)

// Generate continues a text in an empty session and calls emit with each token, the
// end token included, before the next is computed; an error of emit ends it. Errors:
// ErrContext if the prompt leaves no room, ErrToken, ErrLogits, ErrSampling, those of
// the device and of emit. Spec: INF-02, INF-03.
func (s *Session) Generate(r Request, emit func(id uint32) error) (Reason, error) {
	if err := r.Sampling.Check(); err != nil {
		return "", err
	}
	if len(r.Prompt) == 0 {
		return "", fmt.Errorf("%w: the prompt has no token", ErrToken)
	}
	if uint64(len(r.Prompt)) >= s.most {
		return "", fmt.Errorf("%w: a prompt of %d tokens leaves no room for an answer, the context is %d", ErrContext, len(r.Prompt), s.most)
	}
	if err := s.Feed(r.Prompt); err != nil {
		return "", err
	}
	for done := uint64(0); done < r.Max; done++ {
		row, err := s.Logits()
		if err != nil {
			return "", err
		}
		id, err := r.Sampling.Pick(row, s.Len())
		if err != nil {
			return "", fmt.Errorf("token %d: %w", s.Len(), err)
		}
		if err := emit(id); err != nil {
			return "", err
		}
		switch {
		case slices.Contains(s.m.Config.EOS, id):
			return ReasonEnd, nil
		case done+1 == r.Max:
			return ReasonLength, nil
		case s.n == s.most:
			return ReasonContext, nil
		}
		if err := s.Feed([]uint32{id}); err != nil {
			return "", err
		}
	}
	return ReasonLength, nil
}

// Texts returns an emit for Generate that turns ids into text as it becomes certain,
// special tokens left out, and a function that gives what is left at the end.
func Texts(t *tokenizer.Tokenizer, emit func(id uint32, text string) error) (func(id uint32) error, func() string) {
	d := t.Decoder(true)
	return func(id uint32) error {
		text, err := d.Add(id)
		if err != nil {
			return err
		}
		return emit(id, text)
	}, d.Flush
}
