// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Permissions} from "./Permissions.sol";
import {Registry} from "./Registry.sol";
import {Trainings} from "./Trainings.sol";

/// @title The model in use of each task
/// @notice An administrator promotes the last model of a finished training, or rolls back to one that
/// was in use before. Nothing is forgotten: the last promotion of a task counts.
contract Models is Permissions {
    struct Promotion {
        bytes32 training;
        bytes32 model;
        bytes32 reasonHash;
        address administrator;
        uint32 rounds;
        bool back;
    }

    bytes32 private constant ADMINISTRATOR = 0x00;

    Trainings private _trainings;
    mapping(bytes32 task => Promotion[]) private _promotions;
    mapping(bytes32 training => bool) private _used;

    event Bound(address indexed trainings);
    event Promoted(
        bytes32 indexed task,
        bytes32 indexed training,
        uint32 rounds,
        bytes32 model,
        bytes32 previous,
        bytes32 reasonHash
    );
    event RolledBack(
        bytes32 indexed task,
        bytes32 indexed training,
        uint32 rounds,
        bytes32 model,
        bytes32 previous,
        bytes32 reasonHash
    );

    error AlreadyBound(address trainings);
    error NotFinished(bytes32 training);
    error NotItsModel(bytes32 expected, bytes32 actual);
    error Untrained(bytes32 training);
    error AlreadyUsed(bytes32 training);
    error NeverUsed(bytes32 training);
    error Unchanged();
    error EmptyHash();

    constructor(Registry registry_) Permissions(registry_) {}

    /// @notice Follow the trainings of this contract, for good; the same again changes nothing.
    function bind(Trainings trainings_) external onlyCoordinator {
        address bound = address(_trainings);
        if (bound == address(trainings_)) return;
        if (bound != address(0)) revert AlreadyBound(bound);
        _trainings = trainings_;
        emit Bound(address(trainings_));
    }

    /// @notice Put the last model of a finished training into use, for the first time.
    /// @param model What the training ended with: its last finalised round's result.
    /// @param reasonHash Salted SHA-256 of the reason.
    function promote(bytes32 training, bytes32 model, bytes32 reasonHash) external {
        if (_used[training]) revert AlreadyUsed(training);
        _used[training] = true;
        (bytes32 task, uint32 rounds, bytes32 previous) = _use(training, model, reasonHash, false);
        emit Promoted(task, training, rounds, model, previous, reasonHash);
    }

    /// @notice Put a model into use again that was in use before.
    function rollBack(bytes32 training, bytes32 model, bytes32 reasonHash) external {
        if (!_used[training]) revert NeverUsed(training);
        (bytes32 task, uint32 rounds, bytes32 previous) = _use(training, model, reasonHash, true);
        emit RolledBack(task, training, rounds, model, previous, reasonHash);
    }

    /// @notice The contract whose trainings these are; none before it was bound.
    function trainings() external view returns (address) {
        return address(_trainings);
    }

    /// @notice All promotions of `task` in their order; the last one counts.
    function promotionsOf(bytes32 task) external view returns (Promotion[] memory) {
        return _promotions[task];
    }

    /// @notice The promotion of `task` that counts; all zeros if none was made.
    function inUse(bytes32 task) external view returns (Promotion memory promotion) {
        uint256 count = _promotions[task].length;
        if (count != 0) promotion = _promotions[task][count - 1];
    }

    /// @return task What the training is of.
    /// @return rounds How many rounds it had.
    /// @return previous The training whose model was in use until now; none if zero.
    function _use(bytes32 training, bytes32 model, bytes32 reasonHash, bool back)
        private
        returns (bytes32 task, uint32 rounds, bytes32 previous)
    {
        _requireRole(ADMINISTRATOR, msg.sender);
        if (reasonHash == 0) revert EmptyHash();
        Trainings.Training memory found = _trainings.trainingOf(training);
        bool ended = found.state == Trainings.TrainingState.Ended;
        // A training that ended early says why.
        if (!ended || bytes(found.reason).length != 0 || found.nextRound < 2) revert NotFinished(training);
        if (found.model != model) revert NotItsModel(found.model, model);
        // Every round may have kept the model that it began with.
        if (model == found.initialModel) revert Untrained(training);
        task = found.task;
        rounds = found.nextRound - 1;
        Promotion[] storage history = _promotions[task];
        if (history.length != 0) previous = history[history.length - 1].training;
        if (previous == training) revert Unchanged();
        _promotions[task].push(Promotion(training, model, reasonHash, msg.sender, rounds, back));
    }
}
