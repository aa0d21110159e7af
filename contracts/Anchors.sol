// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Permissions} from "./Permissions.sol";
import {Registry} from "./Registry.sol";

/// @title Anchors of the application's audit log
/// @notice Each anchor is the Merkle root of entries that follow those of the one before without a
/// gap, so that a log can be shown to be whole and unchanged.
contract Anchors is Permissions {
    struct Anchor {
        uint64 first;
        uint64 last;
        bytes32 root;
    }

    Anchor[] private _anchors;

    event Anchored(uint256 indexed index, uint64 first, uint64 last, bytes32 root);

    error Gap(uint64 expected, uint64 actual);
    error NoEntries(uint64 first, uint64 last);
    error EmptyHash();

    constructor(Registry registry_) Permissions(registry_) {}

    /// @notice Anchor the entries `first` to `last`, which must follow the last anchored one.
    function anchor(uint64 first, uint64 last, bytes32 root) external onlyCoordinator {
        uint256 index = _anchors.length;
        uint64 expected = index == 0 ? 1 : _anchors[index - 1].last + 1;
        if (first != expected) revert Gap(expected, first);
        if (last < first) revert NoEntries(first, last);
        if (root == 0) revert EmptyHash();
        _anchors.push(Anchor(first, last, root));
        emit Anchored(index, first, last, root);
    }

    /// @notice How many anchors there are.
    function count() external view returns (uint256) {
        return _anchors.length;
    }

    /// @notice The anchor of this index, from 0 on.
    function anchorOf(uint256 index) external view returns (Anchor memory) {
        return _anchors[index];
    }
}
