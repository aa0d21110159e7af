// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Trainings} from "./Trainings.sol";

/// @title A try at a round, as a state machine
/// @notice Round 0 sums the data's statistics, rounds from 1 on sum updates; between them the round
/// DONATION commits the rows that hospitals give to test models on, and sums nothing. A round that was
/// agreed to open is locked: another attempt could open another sum, and the difference of two sums
/// would be somebody's update.
abstract contract Attempts is Trainings {
    enum State {
        None,
        Opened,
        Submitting,
        Revealing,
        Checking,
        Agreed,
        Voting,
        Finalised,
        Failed
    }

    /// @dev Where a node stands; from NotJoined on it is out of the attempt.
    enum Standing {
        Absent,
        In,
        NotJoined,
        Withheld,
        LeftOut
    }

    enum Verdict {
        None,
        Accepted,
        Refused,
        Rejected
    }

    struct Key {
        bytes32 training;
        uint32 round;
        uint32 attempt;
    }

    struct Round {
        uint32 attempts;
        bool locked;
    }

    struct Seat {
        Standing standing;
        bool opens;
        bytes32 commitment;
        bytes32 nonce;
        bytes32 setHash;
        bytes32 vote;
        bytes receivingKey;
    }

    struct Submission {
        bytes32 shareRoot;
        bytes32 updateHash;
        uint32 samples;
        Verdict verdict;
        uint64 weight;
    }

    struct Attempt {
        State state;
        uint8 joined;
        uint8 revealed;
        bool opens;
        uint64 normBound;
        uint64 nextBound;
        uint64 deadline;
        bytes32 modelIn;
        bytes32 submissionsRoot;
        bytes32 challenge;
        bytes32 agreedHash;
        bytes32 resultHash;
        string reason;
        address[] submitters;
        mapping(address hospital => Submission) submissions;
        mapping(address node => Seat) seats;
        mapping(bytes32 choice => uint8) agreements;
        mapping(bytes32 resultHash => uint8) votes;
    }

    /// @dev The number of the round in which slices are donated; rounds of updates stay below it.
    uint32 internal constant DONATION = 1 << 30;

    mapping(bytes32 training => mapping(uint32 round => Round)) internal _rounds;
    mapping(bytes32 training => mapping(uint32 round => mapping(uint32 attempt => Attempt))) private _attempts;

    event AttemptAdvanced(
        bytes32 indexed training, uint32 indexed round, uint32 indexed attempt, State state
    );
    event AttemptFailed(
        bytes32 indexed training, uint32 indexed round, uint32 indexed attempt, string reason
    );
    event NodeLeftOut(
        bytes32 indexed training, uint32 indexed round, address indexed node, uint32 attempt, Standing why
    );

    error WrongState(State expected, State actual);
    error WrongRound(uint32 expected, uint32 actual);
    error WrongAttempt(uint32 expected, uint32 actual);
    error WrongModel(bytes32 expected, bytes32 actual);
    error RoundLocked(uint32 round);
    error BudgetSpent(bytes32 training);
    error Late(uint64 deadline, uint256 number);
    error NotLate(uint64 deadline, uint256 number);

    /// @notice Open the next attempt of the next round; the previous attempt of it must have failed.
    /// @param modelIn The model that the hospitals start from: the training's current one.
    function openAttempt(Key calldata key, bytes32 modelIn) external onlyCoordinator {
        Training storage training = _requireOpen(key.training);
        Round storage round = _rounds[key.training][key.round];
        _requireNext(training, key.round);
        if (round.locked) revert RoundLocked(key.round);
        if (round.attempts > 0) {
            State last = _attempts[key.training][key.round][round.attempts].state;
            if (last != State.Failed) revert WrongState(State.Failed, last);
        }
        if (key.attempt != round.attempts + 1) revert WrongAttempt(round.attempts + 1, key.attempt);
        if (modelIn != training.model) revert WrongModel(training.model, modelIn);
        if (training.attemptsLeft == 0) revert BudgetSpent(key.training);
        --training.attemptsLeft;
        round.attempts = key.attempt;
        Attempt storage attempt = _attempt(key);
        attempt.modelIn = modelIn;
        attempt.normBound = training.normBound;
        _advance(key, State.Opened);
    }

    /// @notice Give an unfinished attempt up. A locked round stays locked.
    function fail(Key calldata key, string calldata reason) external onlyCoordinator {
        State state = _attempt(key).state;
        if (!_running(state)) revert WrongState(State.Opened, state);
        _fail(key, reason);
    }

    /// @notice Give an attempt up whose step took too long; anybody may. One that was agreed to open
    /// cannot expire: its round could never be tried again.
    function expire(Key calldata key) external {
        Attempt storage attempt = _attempt(key);
        if (!_running(attempt.state) || attempt.state >= State.Agreed) {
            revert WrongState(State.Checking, attempt.state);
        }
        if (block.number <= attempt.deadline) revert NotLate(attempt.deadline, block.number);
        _fail(key, "the deadline of a step passed");
    }

    /// @notice End `training`; its running attempt, if there is one, fails for the same reason.
    function endTraining(bytes32 training, string calldata reason) external onlyCoordinator {
        _failRunning(training, _trainings[training].nextRound, reason);
        _failRunning(training, DONATION, reason);
        _end(training, reason);
    }

    function _attempt(Key memory key) internal view returns (Attempt storage) {
        return _attempts[key.training][key.round][key.attempt];
    }

    function _requireState(Key memory key, State expected) internal view returns (Attempt storage attempt) {
        attempt = _attempt(key);
        if (attempt.state != expected) revert WrongState(expected, attempt.state);
        if (expected < State.Agreed) _requireInTime(attempt);
    }

    function _requireInTime(Attempt storage attempt) internal view {
        if (block.number > attempt.deadline) revert Late(attempt.deadline, block.number);
    }

    function _advance(Key memory key, State state) internal {
        Attempt storage attempt = _attempt(key);
        attempt.state = state;
        attempt.deadline = uint64(block.number) + _trainings[key.training].stepBlocks;
        emit AttemptAdvanced(key.training, key.round, key.attempt, state);
    }

    function _fail(Key memory key, string memory reason) internal {
        _requireShort(reason);
        _attempt(key).reason = reason;
        _advance(key, State.Failed);
        emit AttemptFailed(key.training, key.round, key.attempt, reason);
    }

    function _leaveOut(Key memory key, address node, Standing why) internal {
        _attempt(key).seats[node].standing = why;
        emit NodeLeftOut(key.training, key.round, node, key.attempt, why);
    }

    /// @dev Slices are donated once, when the statistics are there and no update was summed.
    function _requireNext(Training storage training, uint32 round) private view {
        bool donates = round == DONATION && training.nextRound == 1 && training.slices == 0;
        if (round != training.nextRound && !donates) revert WrongRound(training.nextRound, round);
    }

    function _failRunning(bytes32 training, uint32 round, string calldata reason) private {
        Key memory key = Key(training, round, _rounds[training][round].attempts);
        if (_running(_attempt(key).state)) _fail(key, reason);
    }

    function _running(State state) private pure returns (bool) {
        return state != State.None && state < State.Finalised;
    }
}
