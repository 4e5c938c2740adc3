//! What a Tollway contract author imports.
