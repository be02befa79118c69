// SPDX-License-Identifier: Apache-2.0

package tx

import (
	"github.com/openledger/openledger/internal/content"
	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/task"
	"github.com/openledger/openledger/poa/decoder"
	"github.com/openledger/openledger/poa/program"
)

// MaxTaskDatasets bounds the datasets of one task.
const MaxTaskDatasets = 64

// TrainDescriptor (0600) posts a task over the listed datasets: a training run or
// an attribution, which have validation rows too; learning from texts, from nothing
// or on from Model; or what Model says about rows. Price goes to the operator,
// CheckFee (for all checkers together) to the checkers that confirm; both are
// base units held in escrow. Windows are chain milliseconds. Exactly one of Train,
// Attribute, Learn and Ask is set, matching TaskKind; Model and Validation are zero
// for none. Spec: TASK-02.
type TrainDescriptor struct {
	_          struct{}           `cbor:",toarray"`
	TaskKind   uint8              `json:"kind"`
	Train      *program.Train     `json:"train,omitempty"`
	Attribute  *program.Attribute `json:"attribute,omitempty"`
	Learn      *decoder.Learn     `json:"learn,omitempty"`
	Ask        *decoder.Ask       `json:"ask,omitempty"`
	Model      ID                 `json:"model"`
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
		positive("price", p.Price),
		positive("check_fee", p.CheckFee),
		within("claim_ms", p.ClaimMS, task.MinWindowMS, task.MaxWindowMS),
		within("work_ms", p.WorkMS, task.MinWindowMS, task.MaxWindowMS),
		within("check_ms", p.CheckMS, task.MinWindowMS, task.MaxWindowMS),
		within("reveal_ms", p.RevealMS, task.MinWindowMS, task.MaxWindowMS),
	)
}

// checkSpec checks the one program, and the model and validation rows that tasks
// of its kind need.
func (p *TrainDescriptor) checkSpec() error {
	kind := task.Kind(p.TaskKind)
	var work interface{ Check() error }
	switch {
	case kind == task.Train && p.Train != nil:
		work = p.Train
	case kind == task.Attribute && p.Attribute != nil:
		work = p.Attribute
	case kind == task.Learn && p.Learn != nil:
		work = p.Learn
	case (kind == task.Evaluate || kind == task.Answer) && p.Ask != nil:
		work = p.Ask
	}
	if work == nil || p.programs() != 1 {
		return Errorf(EncField, "kind %d does not match the one program that must be given", p.TaskKind)
	}
	if err := work.Check(); err != nil {
		return Errorf(EncField, "%v", err)
	}
	return p.checkModel(kind)
}

func (p *TrainDescriptor) programs() (n int) {
	for _, given := range []bool{p.Train != nil, p.Attribute != nil, p.Learn != nil, p.Ask != nil} {
		if given {
			n++
		}
	}
	return n
}

func (p *TrainDescriptor) checkModel(kind task.Kind) error {
	none := p.Model == ID{}
	switch {
	case kind == task.Train || kind == task.Attribute:
		if !none {
			return Errorf(EncField, "a task of kind %v is about no model", kind)
		}
		return object("validation", p.Validation)
	case kind == task.Learn && none && p.Learn.Net.LoRA.Rank != 0:
		return Errorf(EncField, "adapters need the model that they adapt")
	case kind != task.Learn && none:
		return Errorf(EncField, "a task of kind %v needs a model", kind)
	case kind == task.Evaluate && p.Ask.Max != 0:
		return Errorf(EncField, "an evaluation answers nothing: max is %d, not 0", p.Ask.Max)
	case kind == task.Answer && p.Ask.Max == 0:
		return Errorf(EncField, "an answer has at least one token: max is 0")
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
