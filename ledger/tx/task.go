// SPDX-License-Identifier: Apache-2.0

package tx

import (
	"github.com/openledger/openledger/internal/content"
	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/task"
	"github.com/openledger/openledger/poa/program"
)

// MaxTaskDatasets bounds the datasets of one task.
const MaxTaskDatasets = 64

// TrainDescriptor (0600) posts a task: a training run or an attribution over the
// listed datasets and the validation dataset. Price goes to the operator,
// CheckFee (for all checkers together) to the checkers that confirm; both are
// base units held in escrow. Windows are chain milliseconds. Exactly one of Train
// and Attribute is set, matching TaskKind. Spec: TASK-02.
type TrainDescriptor struct {
	_          struct{}           `cbor:",toarray"`
	TaskKind   uint8              `json:"kind"`
	Train      *program.Train     `json:"train,omitempty"`
	Attribute  *program.Attribute `json:"attribute,omitempty"`
	Datasets   []ID               `json:"datasets"`
	Validation ID                 `json:"validation"`
	Price      fixed.Amount       `json:"price"`
	CheckFee   fixed.Amount       `json:"check_fee"`
	ClaimMS    uint64             `json:"claim_ms"`
	WorkMS     uint64             `json:"work_ms"`
	CheckMS    uint64             `json:"check_ms"`
	RevealMS   uint64             `json:"reveal_ms"`
}

// Kind implements Payload.
func (*TrainDescriptor) Kind() Kind { return KindTrainDescriptor }

// Writes implements Payload: sender, deposits, tasks, object, due entry.
func (*TrainDescriptor) Writes() uint64 { return 5 }

// Check implements Payload.
func (p *TrainDescriptor) Check() error {
	if err := p.checkSpec(); err != nil {
		return err
	}
	for _, id := range p.Datasets {
		if id == p.Validation {
			return Errorf(EncField, "validation is one of the datasets")
		}
	}
	if _, err := fixed.Add(p.Price, p.CheckFee); err != nil {
		return Errorf(EncField, "price and check_fee overflow")
	}
	return checks(
		set("datasets", p.Datasets, MaxTaskDatasets),
		object("validation", p.Validation),
		positive("price", p.Price),
		positive("check_fee", p.CheckFee),
		within("claim_ms", p.ClaimMS, task.MinWindowMS, task.MaxWindowMS),
		within("work_ms", p.WorkMS, task.MinWindowMS, task.MaxWindowMS),
		within("check_ms", p.CheckMS, task.MinWindowMS, task.MaxWindowMS),
		within("reveal_ms", p.RevealMS, task.MinWindowMS, task.MaxWindowMS),
	)
}

func (p *TrainDescriptor) checkSpec() error {
	var err error
	switch {
	case task.Kind(p.TaskKind) == task.Train && p.Train != nil && p.Attribute == nil:
		err = p.Train.Check()
	case task.Kind(p.TaskKind) == task.Attribute && p.Attribute != nil && p.Train == nil:
		err = p.Attribute.Check()
	default:
		return Errorf(EncField, "kind %d does not match the one program that must be given", p.TaskKind)
	}
	if err != nil {
		return Errorf(EncField, "%v", err)
	}
	return nil
}

// TaskClaim (0601) takes a posted task; the first valid claim wins.
type TaskClaim struct {
	_    struct{} `cbor:",toarray"`
	Task ID       `json:"task"`
}

// Kind implements Payload.
func (*TaskClaim) Kind() Kind { return KindTaskClaim }

// Writes implements Payload: sender, task, two due entries.
func (*TaskClaim) Writes() uint64 { return 4 }

// Check implements Payload.
func (p *TaskClaim) Check() error { return object("task", p.Task) }

// TaskCommit (0602) commits to finished work: Root is the RFC 6962 root over the
// Segments segment leaves, OutputRoot the root of the result, Output the BLAKE3
// id of its OutputBytes bytes.
type TaskCommit struct {
	_           struct{}   `cbor:",toarray"`
	Task        ID         `json:"task"`
	Root        ID         `json:"root"`
	Segments    uint64     `json:"segments"`
	OutputRoot  ID         `json:"output_root"`
	Output      content.ID `json:"output_cid"`
	OutputBytes uint64     `json:"output_bytes"`
}

// Kind implements Payload.
func (*TaskCommit) Kind() Kind { return KindTaskCommit }

// Writes implements Payload: sender, task, two due entries.
func (*TaskCommit) Writes() uint64 { return 4 }

// Check implements Payload.
func (p *TaskCommit) Check() error {
	return checks(
		object("task", p.Task),
		object("root", p.Root),
		within("segments", p.Segments, 1, task.MaxSegments),
		object("output_root", p.OutputRoot),
		blake3("output_cid", p.Output),
		within("output_bytes", p.OutputBytes, 1, MaxModelBytes),
	)
}

// CheckCommit (0604) commits a checker to its verdict without showing it: Hash =
// CheckHash of what CheckReveal will say.
type CheckCommit struct {
	_    struct{} `cbor:",toarray"`
	Task ID       `json:"task"`
	Hash ID       `json:"hash"`
}

// Kind implements Payload.
func (*CheckCommit) Kind() Kind { return KindCheckCommit }

// Writes implements Payload: sender, task, two due entries.
func (*CheckCommit) Writes() uint64 { return 4 }

// Check implements Payload.
func (p *CheckCommit) Check() error {
	return checks(object("task", p.Task), object("hash", p.Hash))
}

// CheckReveal (0605) shows a verdict: the roots that the checker's own replay
// gave, and the salt of its commitment.
type CheckReveal struct {
	_          struct{} `cbor:",toarray"`
	Task       ID       `json:"task"`
	Root       ID       `json:"root"`
	OutputRoot ID       `json:"output_root"`
	Salt       ID       `json:"salt"`
}

// Kind implements Payload.
func (*CheckReveal) Kind() Kind { return KindCheckReveal }

// Writes implements Payload: sender, task, two due entries, module, operator and
// up to three checkers.
func (*CheckReveal) Writes() uint64 { return 5 + 1 + task.Checkers }

// Check implements Payload.
func (p *CheckReveal) Check() error { return object("task", p.Task) }

// CheckHash is the commitment of a checker to a verdict, H(dom("check", task,
// checker, root, outputRoot, salt)). salt must be secret and random.
func CheckHash(taskID ID, checker keys.Address, root, outputRoot, salt ID) ID {
	return task.CheckHash(taskID, checker, task.Verdict{Root: root, OutputRoot: outputRoot}, salt)
}
