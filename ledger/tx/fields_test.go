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
		edit(t, "dataset without features", func(p *DatasetUpload) { p.Features = 0 }),
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
		edit(t, "model with no neighbours", func(p *ModelManifest) { p.K = 0 }),
		edit(t, "model with too many neighbours", func(p *ModelManifest) { p.K = program.MaxK + 1 }),
		edit(t, "model without stake", func(p *ModelManifest) { p.Stake = 0 }),
		edit(t, "task of another kind", func(p *TrainDescriptor) { p.TaskKind = 3 }),
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
