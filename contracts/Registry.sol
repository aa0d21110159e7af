// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Parties} from "./Parties.sol";
import {Roles} from "./Roles.sol";

/// @title The registry of a federation
/// @notice Roles, parties with their keys, and the policy: the rules of the collaboration, which two
/// administrators change together.
contract Registry is Parties {
    /// @dev `faults`: lying nodes that must be borne, so n >= 3 faults + 1. `quorum`: fewest equal
    /// votes (more where the contract's formula asks for more). `stepBlocks`: how many blocks a step
    /// of an attempt may take. `mostAttempts`: attempts in one training; each opens a few bits more of
    /// what the hospitals hold, so this is the privacy budget.
    struct Policy {
        bool allowed;
        uint8 faults;
        uint8 quorum;
        uint8 fewestHospitals;
        uint8 fewestAccepted;
        uint32 stepBlocks;
        uint32 mostAttempts;
    }

    /// @dev Of two, each could subtract its own from the sum and hold the other's.
    uint8 private constant LEAST_SUMMED = 3;

    mapping(bytes32 task => Policy) private _policies;

    event PolicySet(bytes32 indexed task, Policy policy);

    error WrongPolicy(bytes32 task);

    constructor(address first, address second) Roles(first, second) {}

    /// @notice Set the rules of `task`: two administrators decide. Open trainings keep theirs.
    /// @param task Its name in UTF-8, padded with zeros.
    function setPolicy(bytes32 task, Policy calldata policy) external {
        bool bounds = policy.fewestHospitals >= LEAST_SUMMED && policy.fewestAccepted >= LEAST_SUMMED;
        if (task == 0 || !bounds || policy.stepBlocks == 0 || policy.mostAttempts == 0) revert WrongPolicy(task);
        if (keccak256(abi.encode(policy)) == keccak256(abi.encode(_policies[task]))) revert Unchanged();
        if (!_decidedByTwo()) return;
        _policies[task] = policy;
        emit PolicySet(task, policy);
    }

    /// @notice The rules of `task`; not allowed if none were set.
    function policyOf(bytes32 task) external view returns (Policy memory) {
        return _policies[task];
    }
}
