// SPDX-License-Identifier: Apache-2.0

package ledger

import "github.com/openledger/openledger/ledger/tx"

// Sub numbers of events. 0 is the success of a transaction of that kind.
const (
	SubDone uint8 = 0

	// With kind TrainDescriptor: how a task went on.
	SubTaskDrawn   uint8 = 1 // checkers drawn
	SubTaskReveal  uint8 = 2 // commitments closed
	SubTaskSettled uint8 = 3
	SubTaskVoid    uint8 = 4
	SubTaskExpired uint8 = 5

	// With kind ChannelOpen.
	SubChannelClosed uint8 = 1

	// With kind EpochCommit.
	SubEpochSettled   uint8 = 1
	SubPendingRefund  uint8 = 2
	SubValidatorsPaid uint8 = 3
)

// EventNames lists every event: its name and what its IDs and Amounts mean.
// Amounts are base units unless the name says otherwise. A list in brackets may
// have any length.
var EventNames = []struct {
	Kind    tx.Kind
	Sub     uint8
	Name    string
	IDs     string
	Amounts string
}{
	{tx.KindTransfer, SubDone, "Transfer", "from to", "amount"},
	{tx.KindFaucetDrip, SubDone, "FaucetDrip", "sender to", "amount epoch"},
	{tx.KindDatasetUpload, SubDone, "DatasetUpload", "dataset owner datanet row_root", "stake deposit rows"},
	{tx.KindDatanetCreate, SubDone, "DatanetCreate", "datanet owner", "stake_base deposit"},
	{tx.KindModelManifest, SubDone, "ModelManifest", "model owner task weights_root", "stake deposit royalty"},
	{tx.KindTrainDescriptor, SubDone, "TrainDescriptor", "task requester", "price check_fee deposit"},
	{tx.KindTrainDescriptor, SubTaskDrawn, "TaskDrawn", "task [checker]", "attempt until_ms"},
	{tx.KindTrainDescriptor, SubTaskReveal, "TaskReveal", "task", "attempt until_ms"},
	{tx.KindTrainDescriptor, SubTaskSettled, "TaskSettled", "task [payee]", "[amount]"},
	{tx.KindTrainDescriptor, SubTaskVoid, "TaskVoid", "task [payee]", "[amount]"},
	{tx.KindTrainDescriptor, SubTaskExpired, "TaskExpired", "task [payee]", "[amount]"},
	{tx.KindTaskClaim, SubDone, "TaskClaim", "task operator", "until_ms"},
	{tx.KindTaskCommit, SubDone, "TaskCommit", "task operator root output_root", "segments output_bytes"},
	{tx.KindCheckCommit, SubDone, "CheckCommit", "task checker", "attempt"},
	{tx.KindCheckReveal, SubDone, "CheckReveal", "task checker root output_root", "attempt"},
	{tx.KindComputeRegister, SubDone, "ComputeRegister", "operator", "bond deposit"},
	{tx.KindOfferPost, SubDone, "OfferPost", "offer operator model", "ask deposit"},
	{tx.KindChannelOpen, SubDone, "ChannelOpen", "channel payer payee", "deposit state_deposit expiry_ms"},
	{tx.KindChannelOpen, SubChannelClosed, "ChannelClosed", "channel payer payee", "paid remainder"},
	{tx.KindChannelRedeem, SubDone, "ChannelRedeem", "channel offer operator payer", "amount epoch"},
	{tx.KindChannelClose, SubDone, "ChannelClose", "channel sender", "until_ms"},
	{tx.KindEpochCommit, SubDone, "EpochCommit", "commit operator offer", "epoch receipt_sum line_sum bond"},
	{tx.KindEpochCommit, SubEpochSettled, "EpochSettled", "commit operator trainer", "epoch gross burn treasury validators operator contributors trainer"},
	{tx.KindEpochCommit, SubPendingRefund, "PendingRefund", "operator offer [payer]", "epoch [amount]"},
	{tx.KindEpochCommit, SubValidatorsPaid, "ValidatorsPaid", "[validator]", "[amount]"},
	{tx.KindClaimEpoch, SubDone, "ClaimEpoch", "commit payee", "amount first last"},
	{tx.KindAttributionCommit, SubDone, "AttributionCommit", "model owner job weight_root", "w owners bond deposit"},
}

// EventName returns the name of an event, "unknown" if there is none.
func EventName(k tx.Kind, sub uint8) string {
	for i := range EventNames {
		if EventNames[i].Kind == k && EventNames[i].Sub == sub {
			return EventNames[i].Name
		}
	}
	return "unknown"
}

// Name returns EventName of e.
func (e Event) Name() string { return EventName(e.Kind, e.Sub) }
