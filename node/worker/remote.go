// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/openledger/openledger/ledger/task"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/rpc/api"
	"github.com/openledger/openledger/rpc/client"
)

// ErrNotCommitted reports a task without a result to compare with.
var ErrNotCommitted = errors.New("nothing is committed yet")

// Verification is the outcome of a replay by anybody.
type Verification struct {
	Task     tx.ID        `json:"task"`
	Equal    bool         `json:"equal"`
	Segments uint64       `json:"segments"`
	Own      task.Verdict `json:"own"`
	Theirs   task.Verdict `json:"theirs"`
	Seconds  float64      `json:"seconds"`
}

// Verify computes a committed task again from published bytes that it reads
// through a node and checks against the ledger's roots; it stops when ctx ends.
// Errors: ErrNotCommitted, ErrTask, those of the node.
func Verify(ctx context.Context, c *client.Client, id tx.ID, opt Options) (Verification, Output, error) {
	o, err := c.TaskGet(ctx, api.IDParams{ID: id})
	if err != nil {
		return Verification{}, Output{}, err
	}
	t := o.Value
	if t.Output == nil || t.Operator == nil {
		return Verification{}, Output{}, fmt.Errorf("task %v is %v: %w", id, t.State, ErrNotCommitted)
	}
	in, err := LoadRemote(ctx, c, id, t.Spec)
	if err != nil {
		return Verification{}, Output{}, err
	}
	in.Operator = *t.Operator
	start := time.Now()
	opt.Stop = func() bool { return ctx.Err() != nil }
	out, err := Execute(in, opt)
	if err != nil {
		return Verification{}, Output{}, err
	}
	return Verification{Task: id, Equal: out.Verdict == t.Output.Verdict, Segments: out.Segments, Own: out.Verdict,
		Theirs: t.Output.Verdict, Seconds: time.Since(start).Seconds()}, out, nil
}
