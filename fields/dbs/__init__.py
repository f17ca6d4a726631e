"""Deep brain stimulation: leads in the head, unit responses, steering, volumes, dosing."""
