// SPDX-License-Identifier: Apache-2.0

package tx

import (
	"errors"
	"strings"
	"testing"

	"github.com/openledger/openledger/internal/content"
	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/internal/vrf"
	"github.com/openledger/openledger/ledger/channel"
	"github.com/openledger/openledger/ledger/task"
	"github.com/openledger/openledger/poa/decoder"
	"github.com/openledger/openledger/poa/program"
)

// badField is a payload with one field out of its bounds.
type badField struct {
	name    string
	payload Payload
	code    Code
}

// edit returns the sample of P's kind after f changed it.
func edit[P Payload](t testing.TB, name string, f func(p P)) badField {
	t.Helper()
	for _, s := range samples(t) {
		if p, ok := s.(P); ok {
			f(p)
			return badField{name, s, EncField}
		}
	}
	t.Fatal("no sample")
	return badField{}
}

// text is a task on texts after f changed it.
func text(p *TrainDescriptor, name string, f func(p *TrainDescriptor)) badField {
	f(p)
	return badField{name, p, EncField}
}

func (b badField) as(c Code) badField { b.code = c; return b }

// badFields lists one case for each bound of each kind.
func badFields(t testing.TB) []badField {
	blake, sha := content.Sum([]byte("x")), content.SumSHA256([]byte("x"))
	long := strings.Repeat("x", 65)
	return []badField{
		edit(t, "transfer of nothing", func(p *Transfer) { p.Amount = 0 }),
		edit(t, "transfer to the zero address", func(p *Transfer) { p.To = keys.Address{} }),
		edit(t, "transfer with a long memo", func(p *Transfer) { p.Memo = make([]byte, 65) }),
		edit(t, "drip to the zero address", func(p *FaucetDrip) { p.To = keys.Address{} }),
		edit(t, "stake with nobody", func(p *Stake) { p.Validator = keys.Address{} }),
		edit(t, "stake of nothing", func(p *Stake) { p.Amount = 0 }),
		edit(t, "unstake from nobody", func(p *Unstake) { p.Validator = keys.Address{} }),
		edit(t, "unstake of nothing", func(p *Unstake) { p.Shares = 0 }),
		edit(t, "redelegation from nobody", func(p *Redelegate) { p.From = keys.Address{} }),
		edit(t, "redelegation to nobody", func(p *Redelegate) { p.To = keys.Address{} }),
		edit(t, "redelegation to the same validator", func(p *Redelegate) { p.To = p.From }),
		edit(t, "redelegation of nothing", func(p *Redelegate) { p.Shares = 0 }),
		edit(t, "validator with a vote key of small order", func(p *ValidatorRegister) { p.VoteKey = keys.PublicKey{1} }),
		edit(t, "validator with no VRF key", func(p *ValidatorRegister) { p.VRFKey = vrf.PublicKey{} }),
		edit(t, "validator that keeps too much", func(p *ValidatorRegister) { p.Commission = MaxCommission + 1 }),
		edit(t, "validator without a bond", func(p *ValidatorRegister) { p.SelfBond = 0 }),
		edit(t, "commission above the limit", func(p *ValidatorEdit) { p.Commission = MaxCommission + 1 }),
		edit(t, "rewards of nobody", func(p *RewardClaim) { p.Validator = keys.Address{} }),
		edit(t, "no evidence", func(p *SlashEvidence) { p.Evidence = nil }),
		edit(t, "evidence of too many bytes", func(p *SlashEvidence) { p.Evidence = make([]byte, MaxEvidence+1) }),
		edit(t, "datanet without a name", func(p *DatanetCreate) { p.Name = "" }),
		edit(t, "datanet with a long name", func(p *DatanetCreate) { p.Name = long[:49] }),
		edit(t, "datanet whose name has a control character", func(p *DatanetCreate) { p.Name = "a\nb" }),
		edit(t, "datanet whose name is not ASCII", func(p *DatanetCreate) { p.Name = "\u0430bc" }),
		edit(t, "datanet whose name ends with a space", func(p *DatanetCreate) { p.Name = "a " }),
		edit(t, "datanet with a gate that does not exist", func(p *DatanetCreate) { p.Gate = 1 }),
		edit(t, "datanet without terms", func(p *DatanetCreate) { p.Terms = nil }),
		edit(t, "datanet with zero terms id", func(p *DatanetCreate) { p.Terms = []ID{{}} }),
		edit(t, "datanet with too many terms", func(p *DatanetCreate) { p.Terms = make([]ID, 17) }),
		edit(t, "datanet with unsorted terms", func(p *DatanetCreate) { p.Terms = []ID{id(4), id(3)} }).as(EncOrder),
		edit(t, "datanet with terms twice", func(p *DatanetCreate) { p.Terms = []ID{id(3), id(3)} }).as(EncOrder),
		edit(t, "dataset without a Datanet", func(p *DatasetUpload) { p.Datanet = ID{} }),
		edit(t, "dataset with a long name", func(p *DatasetUpload) { p.Name = long }),
		edit(t, "dataset whose content is named by SHA-256", func(p *DatasetUpload) { p.Content = sha }),
		edit(t, "dataset without a row root", func(p *DatasetUpload) { p.RowRoot = ID{} }),
		edit(t, "dataset whose manifest is named by BLAKE3", func(p *DatasetUpload) { p.Manifest = blake }),
		edit(t, "dataset without rows", func(p *DatasetUpload) { p.Rows = 0 }),
		edit(t, "dataset with too many rows", func(p *DatasetUpload) { p.Rows = 1<<24 + 1 }),
		edit(t, "text of too many bytes", func(p *DatasetUpload) { p.Features, p.Bytes = 0, MaxTextBytes+1 }),
		edit(t, "dataset with too many features", func(p *DatasetUpload) { p.Features = program.MaxFeatures + 1 }),
		edit(t, "dataset without bytes", func(p *DatasetUpload) { p.Bytes = 0 }),
		edit(t, "dataset without terms", func(p *DatasetUpload) { p.Terms = ID{} }),
		edit(t, "dataset without stake", func(p *DatasetUpload) { p.Stake = 0 }),
		edit(t, "model without a name", func(p *ModelManifest) { p.Name = "" }),
		edit(t, "model without a task", func(p *ModelManifest) { p.Task = ID{} }),
		edit(t, "model without a weights root", func(p *ModelManifest) { p.WeightsRoot = ID{} }),
		edit(t, "model whose weights are named by SHA-256", func(p *ModelManifest) { p.Weights = sha }),
		edit(t, "model without bytes", func(p *ModelManifest) { p.Bytes = 0 }),
		edit(t, "model without terms", func(p *ModelManifest) { p.Terms = ID{} }),
		edit(t, "model with another attribution method", func(p *ModelManifest) { p.AttrMethod = "lds/1" }),
		edit(t, "model without a method but with neighbours", func(p *ModelManifest) { p.AttrMethod, p.Royalty = NoAttribution, 0 }),
		edit(t, "model without a method but with a royalty", func(p *ModelManifest) { p.AttrMethod, p.K = NoAttribution, 0 }),
		edit(t, "model with no neighbours", func(p *ModelManifest) { p.K = 0 }),
		edit(t, "model with too many neighbours", func(p *ModelManifest) { p.K = program.MaxK + 1 }),
		edit(t, "model without stake", func(p *ModelManifest) { p.Stake = 0 }),
		edit(t, "task of another kind", func(p *TrainDescriptor) { p.TaskKind = 6 }),
		edit(t, "task of no kind", func(p *TrainDescriptor) { p.TaskKind = 0 }),
		edit(t, "training of a model", func(p *TrainDescriptor) { p.Model = id(9) }),
		edit(t, "training that is said to learn", func(p *TrainDescriptor) { p.TaskKind = 3 }),
		edit(t, "training that is said to ask", func(p *TrainDescriptor) { p.TaskKind, p.Model = 4, id(9) }),
		edit(t, "task whose kind is not its program's", func(p *TrainDescriptor) { p.TaskKind = 2 }),
		edit(t, "task with two programs", func(p *TrainDescriptor) { p.Attribute = &program.Attribute{} }),
		edit(t, "task without a program", func(p *TrainDescriptor) { p.Train = nil }),
		edit(t, "task with a bad program", func(p *TrainDescriptor) { p.Train.Classes = 1 }),
		edit(t, "task without datasets", func(p *TrainDescriptor) { p.Datasets = nil }),
		edit(t, "task with too many datasets", func(p *TrainDescriptor) { p.Datasets = make([]ID, 65) }),
		edit(t, "task with unsorted datasets", func(p *TrainDescriptor) { p.Datasets = []ID{id(2), id(1)} }).as(EncOrder),
		edit(t, "task validated on its own data", func(p *TrainDescriptor) { p.Validation = p.Datasets[0] }),
		edit(t, "task without validation rows", func(p *TrainDescriptor) { p.Validation = ID{} }),
		edit(t, "task without a price", func(p *TrainDescriptor) { p.Price = 0 }),
		edit(t, "task without a check fee", func(p *TrainDescriptor) { p.CheckFee = 0 }),
		edit(t, "task whose escrow overflows", func(p *TrainDescriptor) { p.Price = ^fixed.Amount(0) }),
		edit(t, "task with a short claim window", func(p *TrainDescriptor) { p.ClaimMS = task.MinWindowMS - 1 }),
		edit(t, "task with a long work window", func(p *TrainDescriptor) { p.WorkMS = task.MaxWindowMS + 1 }),
		edit(t, "task with a short check window", func(p *TrainDescriptor) { p.CheckMS = 0 }),
		edit(t, "task with a long reveal window", func(p *TrainDescriptor) { p.RevealMS = ^uint64(0) }),
		text(learn(), "learning that also asks", func(p *TrainDescriptor) { p.Ask = ask(4).Ask }),
		text(learn(), "learning that is said to train", func(p *TrainDescriptor) { p.TaskKind = 1 }),
		text(learn(), "learning with no step", func(p *TrainDescriptor) { p.Learn.Steps = 0 }),
		text(learn(), "learning in too many segments", func(p *TrainDescriptor) { p.Learn.Steps, p.Learn.StepsPerSegment = 4_097, 1 }),
		text(learn(), "learning at a rate of nothing", func(p *TrainDescriptor) { p.Learn.Rate = 0 }),
		text(learn(), "learning by another optimizer", func(p *TrainDescriptor) { p.Learn.Optimizer = 3 }),
		text(learn(), "learning at a cost above the bound", func(p *TrainDescriptor) {
			p.Learn.Steps, p.Learn.StepsPerSegment, p.Learn.Seqs = decoder.MaxTaskSteps, 4_096, decoder.MaxTaskSeqs
		}),
		text(learn(), "learning of weights above the bound", func(p *TrainDescriptor) {
			p.Learn.Net.Arch.Vocab, p.Learn.Net.Arch.Hidden = 1<<20, 1<<12
		}),
		text(learn(), "learning of adapters of nothing", func(p *TrainDescriptor) { p.Learn.Net.LoRA = adapt().Learn.Net.LoRA }),
		text(learn(), "learning without datasets", func(p *TrainDescriptor) { p.Datasets = nil }),
		text(adapt(), "adapters for a matrix that does not exist", func(p *TrainDescriptor) { p.Learn.Net.LoRA.Targets = []string{"w"} }),
		text(adapt(), "adapters for a matrix twice", func(p *TrainDescriptor) { p.Learn.Net.LoRA.Targets = []string{"q", "q"} }),
		text(adapt(), "adapters of too high a rank", func(p *TrainDescriptor) { p.Learn.Net.LoRA.Rank = decoder.MaxRank + 1 }),
		text(adapt(), "quantised weights without adapters", func(p *TrainDescriptor) { p.Learn.Net.LoRA = decoder.LoRA{} }),
		text(adapt(), "learning validated on its own texts", func(p *TrainDescriptor) { p.Validation = p.Datasets[0] }),
		text(ask(4), "evaluation of no model", func(p *TrainDescriptor) { p.Model = ID{} }),
		text(ask(4), "evaluation that answers", func(p *TrainDescriptor) { p.Ask.Max = 1 }),
		text(ask(4), "evaluation that draws", func(p *TrainDescriptor) { p.Ask.Seed = 1 }),
		text(ask(4), "evaluation of no rows for each segment", func(p *TrainDescriptor) { p.Ask.Rows = 0 }),
		text(ask(4), "evaluation of a table in a short form", func(p *TrainDescriptor) { p.Ask.Tokens = 0 }),
		text(ask(5), "answers of no model", func(p *TrainDescriptor) { p.Ask.Max, p.Model = 1, ID{} }),
		text(ask(5), "answers of nothing", func(p *TrainDescriptor) {}),
		text(ask(5), "answers of too many tokens", func(p *TrainDescriptor) { p.Ask.Max = decoder.MaxTaskTokens + 1 }),
		text(ask(5), "answers to a table of more than one row of logits", func(p *TrainDescriptor) { p.Ask = &decoder.Ask{Rows: 1, Max: 2} }),
		text(ask(5), "answers with too wide a context", func(p *TrainDescriptor) { p.Ask.Max, p.Ask.Tokens = 1, decoder.MaxTaskTokens+1 }),
		edit(t, "claim of no task", func(p *TaskClaim) { p.Task = ID{} }),
		edit(t, "result of no task", func(p *TaskCommit) { p.Task = ID{} }),
		edit(t, "result without a root", func(p *TaskCommit) { p.Root = ID{} }),
		edit(t, "result without segments", func(p *TaskCommit) { p.Segments = 0 }),
		edit(t, "result without an output root", func(p *TaskCommit) { p.OutputRoot = ID{} }),
		edit(t, "result named by SHA-256", func(p *TaskCommit) { p.Output = sha }),
		edit(t, "result without bytes", func(p *TaskCommit) { p.OutputBytes = 0 }),
		edit(t, "check of no task", func(p *CheckCommit) { p.Task = ID{} }),
		edit(t, "check without a hash", func(p *CheckCommit) { p.Hash = ID{} }),
		edit(t, "reveal of no task", func(p *CheckReveal) { p.Task = ID{} }),
		edit(t, "operator without a device class", func(p *ComputeRegister) { p.DeviceClass = "" }),
		edit(t, "operator without a peer id", func(p *ComputeRegister) { p.PeerID = nil }),
		edit(t, "operator with a long peer id", func(p *ComputeRegister) { p.PeerID = make([]byte, 65) }),
		edit(t, "operator without a bond", func(p *ComputeRegister) { p.Bond = 0 }),
		edit(t, "offer of no model", func(p *OfferPost) { p.Model = ID{} }),
		edit(t, "offer for nothing", func(p *OfferPost) { p.Ask = 0 }),
		edit(t, "offer without an end", func(p *OfferPost) { p.ValidUntil = 0 }),
		edit(t, "channel to the zero address", func(p *ChannelOpen) { p.Payee = keys.Address{} }),
		edit(t, "channel without a deposit", func(p *ChannelOpen) { p.Deposit = 0 }),
		edit(t, "channel without a window", func(p *ChannelOpen) { p.WindowMS = 0 }),
		edit(t, "channel without an expiry", func(p *ChannelOpen) { p.ExpiryMS = 0 }),
		edit(t, "channel without lanes", func(p *ChannelOpen) { p.MaxLanes = 0 }),
		edit(t, "channel with too many lanes", func(p *ChannelOpen) { p.MaxLanes = channel.MaxLanes + 1 }),
		edit(t, "redeem of nothing", func(p *ChannelRedeem) { p.Vouchers = nil }),
		edit(t, "redeem of too many vouchers", func(p *ChannelRedeem) {
			for len(p.Vouchers) <= channel.MaxVouchers {
				p.Vouchers = append(p.Vouchers, p.Vouchers[0])
			}
		}),
		edit(t, "redeem of an empty voucher", func(p *ChannelRedeem) { p.Vouchers[0].Voucher.Cum = 0 }),
		edit(t, "redeem of a voucher with a condition", func(p *ChannelRedeem) { p.Vouchers[0].Voucher.Cond = &channel.Reserved{} }),
		edit(t, "close of no channel", func(p *ChannelClose) { p.Channel = ID{} }),
		edit(t, "commit of no offer", func(p *EpochCommit) { p.Offer = ID{} }),
		edit(t, "commit without a receipt root", func(p *EpochCommit) { p.ReceiptRoot = ID{} }),
		edit(t, "commit of nothing", func(p *EpochCommit) { p.ReceiptSum = 0 }),
		edit(t, "commit without receipts", func(p *EpochCommit) { p.ReceiptCount = 0 }),
		edit(t, "commit with too many receipts", func(p *EpochCommit) { p.ReceiptCount = 1<<32 + 1 }),
		edit(t, "commit with too many lines", func(p *EpochCommit) { p.LineCount = 1<<36 + 1 }),
		edit(t, "commit without a rule", func(p *EpochCommit) { p.Rule = "" }),
		edit(t, "commit without a bond", func(p *EpochCommit) { p.Bond = 0 }),
		edit(t, "claim of no commit", func(p *ClaimEpoch) { p.Commit = ID{} }),
		edit(t, "claim for the zero address", func(p *ClaimEpoch) { p.Payee = keys.Address{} }),
		edit(t, "claim that ends before it starts", func(p *ClaimEpoch) { p.First = 4 }),
		edit(t, "attribution of no model", func(p *AttributionCommit) { p.Model = ID{} }),
		edit(t, "attribution without a job", func(p *AttributionCommit) { p.Job = ID{} }),
		edit(t, "attribution with a long rule", func(p *AttributionCommit) { p.Rule = long[:17] }),
		edit(t, "attribution to too many owners", func(p *AttributionCommit) { p.Owners = MaxOwners + 1 }),
		edit(t, "attribution without a result", func(p *AttributionCommit) { p.ResultRoot = ID{} }),
		edit(t, "attribution without leaves", func(p *AttributionCommit) { p.Leaves = 0 }),
		edit(t, "attribution with long parameters", func(p *AttributionCommit) { p.Params = make([]byte, 2<<10+1) }).as(PoaParamsSize),
		edit(t, "attribution without a bond", func(p *AttributionCommit) { p.Bond = 0 }),
	}
}

func TestTXN02FieldsOutOfBounds(t *testing.T) {
	for _, b := range badFields(t) {
		t.Run(b.name, func(t *testing.T) {
			err := b.payload.Check()
			if !errors.Is(err, b.code) {
				t.Fatalf("Check: %v, want %v", err, b.code)
			}
			s := Sign(testChain, Body{MaxFee: 20_000, ValidUntil: 100, Payload: b.payload}, testKey())
			if _, err := Verify(testChain, s); !errors.Is(err, b.code) {
				t.Errorf("Verify: %v", err)
			}
			if CodeOf(err) != b.code {
				t.Errorf("CodeOf: %v", CodeOf(err))
			}
		})
	}
}
